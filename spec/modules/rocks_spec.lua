local files = require "moongate.testing.files"
local rocks = require "moongate.rocks"

describe("moongate.rocks", function()
  local path, cpath, tree

  before_each(function()
    path, cpath = package.path, package.cpath
    tree = files.temporary_folder()
    files.write_file(tree, "share/lua/5.1/rocks_spec_one.lua", "return 'one'\n")
    files.write_file(tree, "share/lua/5.1/rocks_spec_two/init.lua", "return 'two'\n")
    files.write_file(tree, "share/lua/5.1/moongate/json.lua", "return 'not ours'\n")
  end)

  after_each(function()
    package.path, package.cpath = path, cpath
    package.loaded.rocks_spec_one, package.loaded.rocks_spec_two = nil, nil
    files.remove_folder(tree)
  end)

  it("lets require find the modules of a tree", function()
    assert.is_false((pcall(require, "rocks_spec_one")))
    rocks.use(tree)
    assert.equal("one", require "rocks_spec_one")
    assert.equal("two", require "rocks_spec_two")
    assert.truthy(package.cpath:find(tree .. "/lib/lua/5.1/?.so", 1, true))
  end)

  it("puts the tree behind all that was there, and only once", function()
    rocks.use(tree)
    rocks.use(tree)
    assert.equal(path .. (";%s/share/lua/5.1/?.lua;%s/share/lua/5.1/?/init.lua"):format(tree, tree), package.path)
    assert.equal(("%s;%s/lib/lua/5.1/?.so"):format(cpath, tree), package.cpath)
    assert.truthy(package.searchpath("moongate.json", package.path):find("lua/moongate/json.lua", 1, true))
    assert.is_nil(package.searchpath("moongate.json", package.path):find(tree, 1, true))
  end)

  it("begins a relative tree at the folder of the file that asks", function()
    files.write_file(tree, "conf/sub/asks.lua", "require('moongate.rocks').use '../..'\n")
    dofile(tree .. "/conf/sub/asks.lua")
    assert.equal("one", require "rocks_spec_one")
  end)

  it("refuses, at the caller's line, what is no tree", function()
    for _, given in ipairs { 1, "", "/no/such/tree", "a;b", "a?" } do
      local ok, message = pcall(function() rocks.use(given) end)
      assert.is_false(ok)
      assert.truthy(message:find("^%S*rocks_spec%.lua:%d+: rocks%.use"), message)
    end
    assert.equal(path, package.path)
  end)
end)
