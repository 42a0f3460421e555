---Opens connections, makes one request on each, and keeps them open until its standard input ends.
---
---    luajit bench/idle.lua PORT FIRST MORE
---
---It says "open N" when the first have had their answers, waits for a line, opens more, and says so again: what
---the proxy's memory grows by in between is the price of a connection, without what the first ones set up.
local ffi = require "ffi"

ffi.cdef [[
typedef struct { uint16_t family; uint16_t port; uint32_t address; char zero[8]; } bench_address;
int socket(int, int, int);
int connect(int, const bench_address *, unsigned);
long send(int, const void *, size_t, int);
long recv(int, void *, size_t, int);
uint16_t htons(uint16_t);
uint32_t htonl(uint32_t);
]]

local port, first, more = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local AF_INET, SOCK_STREAM = 2, 1
local request = "GET /1k HTTP/1.1\r\nHost: bench\r\nUser-Agent: idle\r\nAccept: */*\r\n\r\n"
local room = ffi.new("char[?]", 8192)
local address = ffi.new "bench_address"
address.family, address.port, address.address = AF_INET, ffi.C.htons(port), ffi.C.htonl(0x7f000001)

---@return boolean answered whole: the head, and the 1,024 bytes after it
local function ask(fd)
  if ffi.C.send(fd, request, #request, 0) ~= #request then return false end
  local got = ""
  repeat
    local n = tonumber(ffi.C.recv(fd, room, 8192, 0))
    if n <= 0 then return false end
    got = got .. ffi.string(room, n)
    local head = select(2, got:find("\r\n\r\n", 1, true))
  until head and #got >= head + 1024
  return got:match "^HTTP/1.1 200 " ~= nil
end

local open = 0
local function open_more(wanted)
  for _ = 1, wanted do
    local fd = ffi.C.socket(AF_INET, SOCK_STREAM, 0)
    if fd < 0 or ffi.C.connect(fd, address, ffi.sizeof(address)) ~= 0 or not ask(fd) then break end
    open = open + 1
  end
  io.write("open ", open, "\n")
  io.flush()
end

open_more(first)
io.read "*l"
open_more(more)
io.read "*a"
