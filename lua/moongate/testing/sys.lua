---What the kit asks of the operating system: clocks, descriptors, sockets.
---
---This module, `files` and `process` are the only ones of the kit that use FFI. Everything here returns at once:
---descriptors are non-blocking, and a call that would wait answers `nil, "again"`. Waiting is the loop's work.
---
---What may fail returns `nil, message, errno`. Numbers are those of Linux on x86-64 and ARM64.

local bit = require "bit"
local ffi = require "ffi"

-- No struct has a name here: a test runner loads modules anew for each file, and C names can be given only once.
ffi.cdef [[
int socket(int, int, int);
int bind(int, const void *, unsigned);
int listen(int, int);
int accept4(int, void *, unsigned *, int);
int connect(int, const void *, unsigned);
int getsockname(int, void *, unsigned *);
int getsockopt(int, int, int, void *, unsigned *);
int setsockopt(int, int, int, const void *, unsigned);
int shutdown(int, int);
int close(int);
long send(int, const void *, size_t, int);
long recv(int, void *, size_t, int);
long sendto(int, const void *, size_t, int, const void *, unsigned);
long recvfrom(int, void *, size_t, int, void *, unsigned *);
long read(int, void *, size_t);
int pipe2(int *, int);
int poll(void *, unsigned long, int);
int clock_gettime(int, void *);
char *strerror(int);
int inet_pton(int, const char *, void *);
char *inet_ntop(int, const void *, char *, unsigned);
]]

local C = ffi.C

local AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
local SOCK_STREAM, SOCK_DGRAM, SOCK_FLAGS = 1, 2, 0x80800 -- NONBLOCK | CLOEXEC
local SOL_SOCKET, SO_REUSEADDR, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_LINGER = 1, 2, 4, 7, 8, 13
local IPPROTO_TCP, TCP_NODELAY = 6, 1
local MSG_NOSIGNAL = 0x4000
local EINTR, EAGAIN, EINPROGRESS = 4, 11, 115
local CLOCK_REALTIME, CLOCK_MONOTONIC = 0, 1

local READ_SIZE = 65536

local timespec = ffi.typeof "struct { long seconds, nanoseconds; }"
local int_box = ffi.typeof "int[1]"
local length_box = ffi.typeof "unsigned[1]"
local sockaddr_in = ffi.typeof "struct { uint16_t family; uint8_t port[2]; uint8_t host[4]; uint8_t zero[8]; }"
local sockaddr_in6 = ffi.typeof [[struct { uint16_t family; uint8_t port[2]; uint32_t flow; uint8_t host[16];
                                           uint32_t scope; }]]
local sockaddr_un = ffi.typeof "struct { uint16_t family; char path[108]; }"
local sockaddr_any = ffi.typeof "union { uint16_t family; uint8_t bytes[128]; }"
local pollfds = ffi.typeof "struct { int fd; short events, revents; }[?]"

local sys = {
  ECONNREFUSED = 111,
  ECONNRESET = 104,
  EPIPE = 32,
  IN = 1,
  OUT = 4,
}

---@return nil
---@return string message
---@return integer errno
local function failed()
  local errno = ffi.errno()
  return nil, ffi.string(C.strerror(errno)), errno
end

---Calls fn again as long as a signal interrupts it.
local function uninterrupted(fn, ...)
  while true do
    local result = fn(...)
    if result >= 0 or ffi.errno() ~= EINTR then return tonumber(result) end
  end
end

local clock = timespec()

---Seconds on a clock that never jumps.
---@return number
function sys.now()
  C.clock_gettime(CLOCK_MONOTONIC, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) * 1e-9
end

---Seconds since 1970.
---@return number
function sys.wall()
  C.clock_gettime(CLOCK_REALTIME, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) * 1e-9
end

-- Addresses ---------------------------------------------------------------------------------------------------------

local function unix_address(path)
  if #path > 107 then return nil, ("path of %d bytes is too long for a unix socket (107)"):format(#path) end
  local address = sockaddr_un()
  address.family = AF_UNIX
  ffi.copy(address.path, path, #path)
  return address, ffi.sizeof(address), AF_UNIX
end

---Turns "127.0.0.1:80", "[::1]:80" or "unix:/path" into what the kernel understands.
---@param text string
---@return ffi.cdata*|nil address
---@return integer|string size_or_message
---@return integer? family
local function parse_address(text)
  local path = text:match "^unix:(.+)$"
  if path then return unix_address(path) end
  local host, port = text:match "^%[(.-)%]:(%d+)$"
  local family = host and AF_INET6 or AF_INET
  if not host then host, port = text:match "^([%d.]+):(%d+)$" end
  if not host then return nil, ("'%s' is not an address; write HOST:PORT, [IPV6]:PORT or unix:PATH"):format(text) end
  local address = family == AF_INET and sockaddr_in() or sockaddr_in6()
  address.family = family
  address.port[0], address.port[1] = bit.rshift(tonumber(port), 8), bit.band(tonumber(port), 255)
  if C.inet_pton(family, host, address.host) ~= 1 then return nil, ("'%s' is not an IP address"):format(host) end
  return address, ffi.sizeof(address), family
end

local function format_address(any)
  local family = any.family
  if family == AF_UNIX then return "unix:" .. ffi.string(ffi.cast("char *", any.bytes + 2)) end
  local text = ffi.new "char[64]"
  C.inet_ntop(family, any.bytes + (family == AF_INET and 4 or 8), text, 64)
  local form = family == AF_INET and "%s:%d" or "[%s]:%d"
  return form:format(ffi.string(text), any.bytes[2] * 256 + any.bytes[3])
end

---An IP address as the 4 or 16 bytes that it is.
---@param text string
---@return string|nil
function sys.address_bytes(text)
  local family = text:find(":", 1, true) and AF_INET6 or AF_INET
  local bytes = ffi.new "uint8_t[16]"
  if C.inet_pton(family, text, bytes) ~= 1 then return nil end
  return ffi.string(bytes, family == AF_INET and 4 or 16)
end

-- Sockets -----------------------------------------------------------------------------------------------------------

local function set_option(fd, level, option, value)
  C.setsockopt(fd, level, option, int_box(value), 4)
end

---@class moongate.testing.socket_options
---@field rcvbuf? integer bytes the kernel keeps for us to read
---@field sndbuf? integer bytes the kernel keeps for the other side to read
---@field source? string address to connect from
---@field datagram? boolean a UDP socket

---@param family integer
---@param opts? moongate.testing.socket_options
---@return integer|nil fd
---@return string? message
local function new_socket(family, opts)
  local kind = opts and opts.datagram and SOCK_DGRAM or SOCK_STREAM
  local fd = C.socket(family, bit.bor(kind, SOCK_FLAGS), 0)
  if fd < 0 then return failed() end
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)
  -- Before listen() and connect(), or the window is already agreed on.
  if opts and opts.rcvbuf then set_option(fd, SOL_SOCKET, SO_RCVBUF, opts.rcvbuf) end
  if opts and opts.sndbuf then set_option(fd, SOL_SOCKET, SO_SNDBUF, opts.sndbuf) end
  return fd
end

---A socket bound to an address; port 0 is a free one.
---@param address string
---@param opts? moongate.testing.socket_options
---@return integer|nil fd
---@return string address_or_message the address with its real port
function sys.bind(address, opts)
  local raw, size, family = parse_address(address)
  if not raw then return nil, size --[[@as string]] end
  local fd, message = new_socket(family, opts)
  if not fd then return nil, message --[[@as string]] end
  if C.bind(fd, raw, size) ~= 0 then
    local _, why = failed()
    C.close(fd)
    return nil, ("cannot bind %s: %s"):format(address, why)
  end
  return fd, sys.local_address(fd)
end

---@param fd integer
---@param backlog? integer
---@return true|nil
---@return string? message
function sys.listen(fd, backlog)
  if C.listen(fd, backlog or 128) ~= 0 then return failed() end
  return true
end

---Takes one connection from the queue.
---@param fd integer
---@return integer|nil fd
---@return string address_or_message who connects, or "again"
function sys.accept(fd)
  local any, length = sockaddr_any(), length_box(ffi.sizeof(sockaddr_any))
  local taken = uninterrupted(C.accept4, fd, any, length, SOCK_FLAGS)
  if taken < 0 then
    if ffi.errno() == EAGAIN then return nil, "again" end
    return failed()
  end
  if any.family ~= AF_UNIX then set_option(taken, IPPROTO_TCP, TCP_NODELAY, 1) end
  return taken, format_address(any)
end

---Begins to connect; the descriptor becomes writable when that is decided, and `connected` says how.
---@param address string
---@param opts? moongate.testing.socket_options
---@return integer|nil fd
---@return string? message
---@return integer? errno
function sys.connect(address, opts)
  local raw, size, family = parse_address(address)
  if not raw then return nil, size --[[@as string]] end
  local fd, message = new_socket(family, opts)
  if not fd then return nil, message end
  if family ~= AF_UNIX then set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) end
  local source, source_size = nil, nil
  if opts and opts.source then source, source_size = parse_address(opts.source) end
  if (source and C.bind(fd, source, source_size) ~= 0)
    or (C.connect(fd, raw, size) ~= 0 and ffi.errno() ~= EINPROGRESS) then
    local _, why, errno = failed()
    C.close(fd)
    return nil, why, errno
  end
  return fd
end

---How a connection attempt ended, and whether a socket has an error.
---@param fd integer
---@return true|nil
---@return string? message
---@return integer? errno
function sys.connected(fd)
  local code, length = int_box(0), length_box(4)
  C.getsockopt(fd, SOL_SOCKET, SO_ERROR, code, length)
  if code[0] == 0 then return true end
  return nil, ffi.string(C.strerror(code[0])), code[0]
end

---@param fd integer
---@return string
function sys.local_address(fd)
  local any, length = sockaddr_any(), length_box(ffi.sizeof(sockaddr_any))
  C.getsockname(fd, any, length)
  return format_address(any)
end

local inbox = ffi.new("uint8_t[?]", READ_SIZE)

---Reads what is there: bytes, "" at the end of the stream, or `nil, "again"`, or an error.
---@param fd integer
---@param most? integer bytes, 65536 at most
---@return string|nil
---@return string? message
---@return integer? errno
function sys.receive(fd, most)
  local got = uninterrupted(C.recv, fd, inbox, math.min(most or READ_SIZE, READ_SIZE), 0)
  if got >= 0 then return ffi.string(inbox, got) end
  if ffi.errno() == EAGAIN then return nil, "again" end
  return failed()
end

---`receive` for pipes.
---@param fd integer
---@return string|nil
---@return string? message
---@return integer? errno
function sys.read(fd)
  local got = uninterrupted(C.read, fd, inbox, READ_SIZE)
  if got >= 0 then return ffi.string(inbox, got) end
  if ffi.errno() == EAGAIN then return nil, "again" end
  return failed()
end

---Sends what the kernel takes of bytes[from..to].
---@param fd integer
---@param bytes string
---@param from integer
---@param to integer
---@return integer|nil count
---@return string? message "again" when there is no room
---@return integer? errno
function sys.send(fd, bytes, from, to)
  local start = ffi.cast("const uint8_t *", bytes) + (from - 1)
  local sent = uninterrupted(C.send, fd, start, to - from + 1, MSG_NOSIGNAL)
  if sent >= 0 then return sent end
  if ffi.errno() == EAGAIN then return nil, "again" end
  return failed()
end

---Reads one datagram and says who sent it.
---@param fd integer
---@return string|nil
---@return string? address_or_message
function sys.receive_from(fd)
  local any, length = sockaddr_any(), length_box(ffi.sizeof(sockaddr_any))
  local got = uninterrupted(C.recvfrom, fd, inbox, READ_SIZE, 0, any, length)
  if got >= 0 then return ffi.string(inbox, got), format_address(any) end
  if ffi.errno() == EAGAIN then return nil, "again" end
  return failed()
end

---@param fd integer
---@param bytes string
---@param address string
---@return true|nil
---@return string? message
function sys.send_to(fd, bytes, address)
  local raw, size = parse_address(address)
  if not raw then return nil, size --[[@as string]] end
  if uninterrupted(C.sendto, fd, bytes, #bytes, MSG_NOSIGNAL, raw, size) < 0 then return failed() end
  return true
end

---Says that nothing more will be written; reading goes on.
---@param fd integer
function sys.shutdown_write(fd)
  C.shutdown(fd, 1)
end

---Closes a connection so that the other side sees a reset.
---@param fd integer
function sys.reset(fd)
  C.setsockopt(fd, SOL_SOCKET, SO_LINGER, ffi.new("int[2]", 1, 0), 8)
  C.close(fd)
end

---@param fd integer
function sys.close(fd)
  C.close(fd)
end

---A pipe. Both ends block, so read only when poll has said that there is something.
---@return integer|nil read_end
---@return integer|string write_end_or_message
function sys.pipe()
  local ends = ffi.new "int[2]"
  if C.pipe2(ends, 0x80000) ~= 0 then return failed() end
  return ends[0], ends[1]
end

---Waits until one of the descriptors is ready. Returns the indices of those that are.
---@param fds integer[]
---@param events integer[] `sys.IN`, `sys.OUT`
---@param seconds number|nil nil waits for ever
---@return integer[]
function sys.poll(fds, events, seconds)
  local set = pollfds(math.max(#fds, 1))
  for i = 1, #fds do
    set[i - 1].fd, set[i - 1].events = fds[i], events[i]
  end
  local milliseconds = seconds and math.ceil(math.max(seconds, 0) * 1000) or -1
  local ready = {}
  if C.poll(set, #fds, milliseconds) > 0 then
    for i = 1, #fds do
      if set[i - 1].revents ~= 0 then ready[#ready + 1] = i end
    end
  end
  return ready
end

return sys
