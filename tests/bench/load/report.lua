-- For wrk: posts the body that the variable BODY names, if it is set, and prints its numbers as one line of JSON.
local path = os.getenv("BODY")
if path then
  local file = assert(io.open(path))
  wrk.method, wrk.body = "POST", file:read("*a")
  file:close()
  wrk.headers["Content-Type"] = "application/json"
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON {"seconds": %.6f, "p50_us": %d, "p99_us": %d, "p999_us": %d, "max_us": %d, "done": %d, "errors": %d}\n',
    summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max, summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout))
end
