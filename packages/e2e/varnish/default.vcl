# A cache in front of the server: one request at the origin for many readers of the same place.
# What may be kept, and for how long, the server says itself (docs/caching.md). What is here makes readers meet.
vcl 4.1;

import std;

backend default {
  .host = "ORIGIN_HOST";
  .port = "ORIGIN_PORT";
  .first_byte_timeout = 60s;     # longer than LONG_POLL_TIMEOUT_MS
  .between_bytes_timeout = 120s; # longer than SSE_HEARTBEAT_SECONDS
}

sub vcl_recv {
  # Clients order their parameters differently; the origin does not mind.
  set req.url = std.querysort(req.url);
  unset req.http.Cookie;
  # HEAD is passed on as HEAD: as a GET it would be answered the same, but would renew a sliding lifetime.
  if (req.method != "GET") {
    return (pass);
  }
  if (req.http.Authorization || req.url ~ "[?&]live=sse(&|$)") {
    return (pass);
  }
  return (hash);
}

sub vcl_backend_response {
  if (bereq.uncacheable || beresp.http.Cache-Control ~ "private") {
    set beresp.uncacheable = true;
    return (deliver);
  }
  if (beresp.status == 204 && bereq.url ~ "[?&]live=long-poll(&|$)") {
    # Those who waited together for nothing are told together. Their next request has a new cursor, so nobody is told twice.
    set beresp.ttl = 1s;
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    return (deliver);
  }
  if (beresp.http.Cache-Control ~ "no-store") {
    set beresp.ttl = 0s;
    set beresp.uncacheable = true;
    return (deliver);
  }
  if (beresp.http.Cache-Control ~ "no-cache") {
    # Kept, but asked for each time; the entity tag turns that into a 304 without a body. (Nothing is kept with 0s.)
    set beresp.ttl = 1ms;
    set beresp.grace = 0s;
    set beresp.keep = 1h;
    return (deliver);
  }
}

sub vcl_deliver {
  if (obj.hits > 0) {
    set resp.http.X-Cache = "HIT";
  } else {
    set resp.http.X-Cache = "MISS";
  }
}
