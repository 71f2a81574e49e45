-- Requests with keys for a rate limit: wrk ... -- COUNT. The step is a prime, so that neighbours in time are not neighbours in a table.
local requests, at, step, count = {}, 0, 7919, 0

function init(args)
    count = tonumber(args[1])
    for number = 0, count - 1 do
        requests[number] = wrk.format("GET", "/", { ["X-Key"] = string.format("key-%06d", number) })
    end
end

function request()
    at = (at + step) % count
    return requests[at]
end
