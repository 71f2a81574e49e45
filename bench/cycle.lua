-- Requests that go round all routes: wrk ... -- FORMAT COUNT, with one %d in FORMAT for the route's number.
-- The step is a prime, so that neighbours in time are not neighbours in the routing table.
local requests, at, step, count = {}, 0, 7919, 0

function init(args)
    count = tonumber(args[2])
    for number = 0, count - 1 do
        requests[number] = wrk.format("GET", string.format(args[1], number))
    end
end

function request()
    at = (at + step) % count
    return requests[at]
end
