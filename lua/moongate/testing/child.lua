---A program that a test runs: its output, its end, and nothing left behind.
---
---Standard output comes through a pipe, since the kit waits for lines of it. Standard error goes to a file: it can
---never block the program, and is whole even when the program is killed.

local failure = require "moongate.testing.failure"
local files = require "moongate.testing.files"
local process = require "moongate.testing.process"
local sys = require "moongate.testing.sys"

---@class moongate.testing.child
---@field pid integer
---@field name string
---@field out string standard output so far
---@field exit? moongate.testing.exit once it has ended
---@field on_line? fun(line: string) called for each line of standard output
local Child = {}
Child.__index = Child

local child = {}

local function read_output(self)
  while self.loop:readable(self.out_fd, "reading " .. self.name) == "ready" do
    local text = sys.read(self.out_fd)
    if not text or text == "" then break end
    self.out = self.out .. text
    self.partial = self.partial .. text
    self.partial = self.partial:gsub("([^\n]*)\n", function(line)
      if self.on_line then self.on_line(line) end
      return ""
    end)
  end
  self.out_ended = true
end

local function watch_end(self)
  local fd = process.watch(self.pid)
  if fd then
    self.loop:readable(fd, "running " .. self.name)
    sys.close(fd)
  end
  self.exit = process.ended(self.pid)
  while not self.exit do
    self.loop:turn("running " .. self.name)
    self.exit = process.ended(self.pid)
  end
  self.world.transcript:note(self.name, "ended with " .. self.exit.text)
end

---@class moongate.testing.child_options
---@field name string
---@field argv string[]
---@field dir? string
---@field env? table<string, string|false>
---@field on_line? fun(line: string)

---@param world moongate.testing.world
---@param opts moongate.testing.child_options
---@return moongate.testing.child
function child.start(world, opts)
  local self = setmetatable({ world = world, loop = world.loop, name = opts.name, out = "", partial = "" }, Child)
  self.on_line = opts.on_line
  self.err_path = ("%s/%s.stderr"):format(world:folder(), opts.name)
  local read_end, write_end = sys.pipe()
  local err_fd = process.open_for_append(self.err_path)
  local pid, why = process.spawn {
    argv = opts.argv, stdout = write_end, stderr = err_fd, dir = opts.dir, env = opts.env,
  }
  sys.close(write_end)
  sys.close(err_fd)
  if not pid then
    sys.close(read_end)
    failure.raise("unexpected", "%s", why)
  end
  self.pid, self.out_fd = pid, read_end
  world.children[#world.children + 1] = self
  world.transcript:note(self.name, ("started as process %d: %s"):format(pid, table.concat(opts.argv, " ")))
  self.loop:spawn(self.name, function() read_output(self) end, true)
  self.loop:spawn(self.name, function() watch_end(self) end, true)
  return self
end

---What it has written to standard error so far.
---@return string
function Child:err()
  return files.read_file(self.err_path) or ""
end

---Waits until it has ended and its output is read. Returns nil when that takes longer than `seconds`.
---@param seconds? number
---@return moongate.testing.exit|nil
function Child:wait(seconds)
  local deadline = seconds and sys.now() + seconds
  while not self.exit do
    if deadline and sys.now() >= deadline then return nil end
    self.loop:turn(("waiting for %s to end"):format(self.name))
  end
  local drained = sys.now() + 0.1 -- what it started may hold the pipe open
  while not self.out_ended and sys.now() < drained do self.loop:turn("reading the last of " .. self.name) end
  return self.exit
end

---Sends a signal; false when the process is gone.
---@param signal string|integer "TERM", "HUP", …
---@return boolean
function Child:signal(signal)
  self.world.transcript:note(self.name, "gets signal " .. tostring(signal))
  return not self.exit and process.kill(self.pid, signal)
end

---Whether anything that it started still runs after its end; waits a moment for it to end.
---@param seconds number
---@return boolean
function Child:left_something(seconds)
  local deadline = sys.now() + seconds
  while process.group_lives(self.pid) do
    if sys.now() >= deadline then return true end
    self.loop:turn("waiting for the processes that " .. self.name .. " started")
  end
  return false
end

---Ends it and all that it started, without asking. Never waits on the loop.
function Child:destroy()
  if not self.exit or process.group_lives(self.pid) then process.kill_group(self.pid) end
  self.exit = self.exit or { signal = process.signals.KILL, text = "signal 9" }
  sys.close(self.out_fd)
end

return child
