---Makes a fresh Lua state ready and reads the configuration in it. The program calls what this returns, once
---per generation; C then builds the generation from the result (core/script/script.c).

---The user's scripts first, then what the environment and the configuration added.
local function script_path(plan)
  local parts = {}
  for _, folder in ipairs(plan.script_path) do
    parts[#parts + 1] = folder .. "/?.lua"
    parts[#parts + 1] = folder .. "/?/init.lua"
  end
  parts[#parts + 1] = plan.folder .. "/?.lua"
  parts[#parts + 1] = plan.folder .. "/?/init.lua"
  return table.concat(parts, ";")
end

local function full_lines(errors)
  local lines = {}
  for i, mistake in ipairs(errors) do lines[i] = mistake.full end
  return lines
end

---The files of the library are found before any of the same name elsewhere.
local function open_library(native, library)
  next, pairs = native.next, native.pairs -- luacheck: globals next pairs
  package.path = library .. "/?.lua;" .. library .. "/?/init.lua;" .. package.path
  package.loaded["moongate.internal.native"] = native
  require("moongate.internal.guards").install()
  jit.opt.start("maxtrace=8000", "maxmcode=8192")
  require("moongate.internal.waiting").install()
  require("moongate.internal.loader").install()
end

---A function that runs a method of every policy, each as a task. It holds on to those that have it alone, so
---that the plan can be let go.
local function life(all, name)
  local calls = require("moongate.internal.policies").methods(all, name)
  local task = require "moongate.task"
  return function()
    for _, call in ipairs(calls) do task.spawn(call.method, call.self) end
  end
end

---@param native table the functions of core/script/bind.c
---@param library string folder in which "moongate/boot.lua" lies
---@param config_file string
---@return table? booted what C builds from
---@return string[]? mistakes a line each
return function(native, library, config_file)
  open_library(native, library)
  local plan, errors = require("moongate.config").load(config_file)
  if not plan then return nil, full_lines(errors) end
  native.folder(plan.folder)
  native.budgets(plan.budgets.cpu, plan.budgets.task, plan.budgets.setup, plan.budgets.memory)
  local unknown = require("moongate.internal.dicts").configure(plan.dicts or {})
  if #unknown > 0 then return nil, unknown end
  local own_path = script_path(plan)
  package.path = own_path .. ";" .. package.path

  local policies = require "moongate.internal.policies"
  local all = policies.new(library, own_path)
  policies.resolve(all, plan)
  if #all.mistakes == 0 then policies.setup(all) end
  if #all.mistakes > 0 then return nil, all.mistakes end

  local has_scripts = #all.sets > 0 or #all.instances > 0
  local request = require "moongate.request"
  if has_scripts then request.start() end
  jit.flush() -- traces of what only loading needed
  local body = require "moongate.internal.body"
  return {
    plan = plan, sets = all.sets, has_scripts = has_scripts,
    new_request = request.new, finish_task = require("moongate.task").finish,
    chunks = body.chunks, write = body.write,
    start = life(all, "start"), stop = life(all, "stop"),
  }
end
