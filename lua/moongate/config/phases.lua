---The phases that a policy may fill: the one list that configuration, editors and manuals read.
---
---When a version adds a phase, it moves from `later` to `now`.
local phases = {}

---@class moongate.config.phase
---@field name string
---@field luals string the hook's type for editors, as a policy in the configuration writes it
---@field doc string when it runs

---In the order of a request's life.
---@type moongate.config.phase[]
phases.now = {
  { name = "setup", luals = "fun(self: table)", doc = "the generation is being built; no I/O" },
  { name = "start", luals = "fun(self: table)", doc = "a worker has taken the generation into service" },
  { name = "stop", luals = "fun(self: table)", doc = "the generation is let go" },
  { name = "rewrite", luals = "fun(self: table, req: moongate.request): moongate.answer?",
    doc = "the head is read, no route is chosen yet" },
  { name = "access", luals = "fun(self: table, req: moongate.request): moongate.answer?",
    doc = "the route is chosen, nothing was sent to the origin" },
  { name = "request_body",
    luals = "fun(self: table, req: moongate.request, chunks: (fun(): string?), write: fun(text: string))",
    doc = "the body goes up to the origin" },
  { name = "upstream_request", luals = "fun(self: table, req: moongate.request): moongate.answer?",
    doc = "the head is about to be sent to an origin, each try" },
  { name = "upstream_response",
    luals = "fun(self: table, req: moongate.request, res: moongate.response): moongate.answer?",
    doc = "the origin's head has come" },
  { name = "response", luals = "fun(self: table, req: moongate.request, res: moongate.response): moongate.answer?",
    doc = "the answer's head is about to be sent to the client" },
  { name = "response_body",
    luals = "fun(self: table, req: moongate.request, res: moongate.response, chunks: (fun(): string?), "
      .. "write: fun(text: string))",
    doc = "the body goes down to the client" },
  { name = "failed", luals = "fun(self: table, req: moongate.request, failure: table): moongate.answer?",
    doc = "the proxy itself is about to answer an error" },
  { name = "log", luals = "fun(self: table, req: moongate.request, res: moongate.response)",
    doc = "the last byte was sent, or the exchange failed" },
}

---Phases that the design names and this version does not run.
---@type string[]
phases.later = {
  "connect", "tls", "balance", "message",
}

---The names of the phases that run, in order.
---@return string[]
function phases.names()
  local names = {}
  for i, phase in ipairs(phases.now) do names[i] = phase.name end
  return names
end

return phases
