---Processes that a test starts: fork and exec, signals, and how they ended.
---
---Each child leads a process group of its own, so that nothing it started outlives the test, gets SIGTERM when the
---test runner dies, and its orphans become ours (PR_SET_CHILD_SUBREAPER), so that they can be waited for.

local ffi = require "ffi"
local files = require "moongate.testing.files"
local sys = require "moongate.testing.sys"

ffi.cdef [[
int fork(void);
int execvp(const char *, char *const *);
void _exit(int);
int waitpid(int, int *, int);
int kill(int, int);
int setpgid(int, int);
int getpid(void);
int dup2(int, int);
int open(const char *, int, unsigned);
int chdir(const char *);
int setenv(const char *, const char *, int);
int unsetenv(const char *);
int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
long write(int, const void *, size_t);
long syscall(long, ...);
]]

local C = ffi.C

local PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
local SYS_PIDFD_OPEN = 434
local WNOHANG, ECHILD = 1, 10
local O_WRONLY_CREATE_APPEND_CLOEXEC = 0x80441

local process = {}

---Numbers of the signals that tests send.
process.signals = {
  HUP = 1, INT = 2, QUIT = 3, KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12, TERM = 15, CONT = 18, STOP = 19, ABRT = 6,
}

---@param name string|integer "TERM", "SIGTERM" or 15
---@return integer
function process.signal_number(name)
  local number = type(name) == "number" and name or process.signals[(tostring(name):upper():gsub("^SIG", ""))]
  return number or error(("unknown signal '%s'"):format(tostring(name)), 2)
end

---@class moongate.testing.spawn_options
---@field argv string[] the program and its arguments
---@field stdout integer descriptor
---@field stderr integer descriptor
---@field dir? string working folder
---@field env? table<string, string|false> added to the environment; false removes

---What the child does between fork and exec; never returns.
local function become(argv, opts, report)
  C.setpgid(0, 0)
  C.prctl(PR_SET_PDEATHSIG, process.signals.TERM, 0, 0, 0)
  C.dup2(C.open("/dev/null", 0, 0), 0)
  C.dup2(opts.stdout, 1)
  C.dup2(opts.stderr, 2)
  for name, value in pairs(opts.env or {}) do
    if value then C.setenv(name, tostring(value), 1) else C.unsetenv(name) end
  end
  if not opts.dir or C.chdir(opts.dir) == 0 then C.execvp(argv[0], ffi.cast("char *const *", argv)) end
  local why = ffi.string(ffi.cast("char *", C.strerror(ffi.errno())))
  C.write(report, why, #why)
  C._exit(127)
end

---Starts a program.
---@param opts moongate.testing.spawn_options
---@return integer|nil pid
---@return string? message
function process.spawn(opts)
  C.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  local argv = ffi.new("const char *[?]", #opts.argv + 1)
  for i, word in ipairs(opts.argv) do argv[i - 1] = word end
  local news, report = sys.pipe()
  if not news then return nil, report --[[@as string]] end
  local pid = C.fork()
  if pid == 0 then become(argv, opts, report) end
  sys.close(report --[[@as integer]])
  local why = sys.read(news) -- blocks until the child has become the program (the pipe closes) or could not
  sys.close(news)
  if pid < 0 then return nil, "cannot fork" end
  if why ~= "" then
    process.wait(pid)
    return nil, ("cannot run %s: %s"):format(opts.argv[1], why)
  end
  return pid
end

---@param path string
---@return integer|nil fd where a child may append
function process.open_for_append(path)
  local fd = C.open(path, O_WRONLY_CREATE_APPEND_CLOEXEC, 0x180)
  return fd >= 0 and fd or nil
end

---@class moongate.testing.exit
---@field code? integer exit status
---@field signal? integer the signal that ended it
---@field text string for people: "exit status 1", "signal 11"

local status = ffi.new "int[1]"

local function decode(raw)
  local signal = raw % 128
  if signal == 0 then
    local code = math.floor(raw / 256) % 256
    return { code = code, text = "exit status " .. code }
  end
  return { signal = signal, text = "signal " .. signal }
end

---How a process ended, or nil while it runs.
---@param pid integer
---@return moongate.testing.exit|nil
function process.ended(pid)
  local got = C.waitpid(pid, status, WNOHANG)
  if got == pid then return decode(status[0]) end
  if got < 0 and ffi.errno() == ECHILD then return { code = 0, text = "gone" } end
  return nil
end

---Waits, however long it takes, until a process has ended.
---@param pid integer
---@return moongate.testing.exit
function process.wait(pid)
  C.waitpid(pid, status, 0)
  return decode(status[0])
end

---A descriptor that becomes readable when the process ends.
---@param pid integer
---@return integer|nil
function process.watch(pid)
  local fd = tonumber(C.syscall(SYS_PIDFD_OPEN, ffi.cast("long", pid), ffi.cast("long", 0)))
  return fd >= 0 and fd or nil
end

---@param pid integer
---@param signal string|integer
---@return boolean sent false when there is no such process
function process.kill(pid, signal)
  return C.kill(pid, process.signal_number(signal)) == 0
end

---Reaps the ended orphans of a group and says whether anything of it still runs.
---@param pid integer its leader
---@return boolean
function process.group_lives(pid)
  while C.waitpid(-pid, status, WNOHANG) > 0 do end
  return C.kill(-pid, 0) == 0
end

---Ends a whole group at once and waits until all of it is gone.
---@param pid integer its leader
function process.kill_group(pid)
  if C.kill(-pid, process.signals.KILL) ~= 0 then return end
  while C.waitpid(-pid, status, 0) > 0 do end
end

---The direct children of a process, in order of their ids.
---@param pid integer
---@return integer[]
function process.children(pid)
  local text = files.read_file(("/proc/%d/task/%d/children"):format(pid, pid)) or ""
  local found = {}
  for child in text:gmatch "%d+" do found[#found + 1] = tonumber(child) end
  table.sort(found)
  return found
end

---Memory that a process has in RAM.
---@param pid integer
---@return integer|nil bytes
function process.resident(pid)
  local text = files.read_file(("/proc/%d/status"):format(pid))
  local kilobytes = text and text:match "VmRSS:%s+(%d+) kB"
  return kilobytes and tonumber(kilobytes) * 1024
end

return process
