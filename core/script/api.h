/*
 * api: what Lua may call in the program, and what a script can see of a request. One text, four readers.
 *
 *      api.h ─┬─► the C compiler
 *             └─► tools/gen-api ─► FFI declarations     lua/moongate/internal/api.lua
 *                               ─► guards of phases     build/<profile>/gen/api_rules.h
 *                               ─► the linker's list    build/<profile>/gen/script_exports.list
 *                               ─► types for editors    lua/moongate/types/api.lua
 *
 * Ordinary C that LuaJIT's parser understands: scalars and pointers only, no callbacks. Marks in comments:
 *
 *      @field class.name type   a field that scripts see; the sentence before it is its description
 *      @writes phase…           the phases in which it may be assigned (otherwise never)
 *      @phases phase…           the phases in which a function may be called (otherwise in all)
 *
 * Nothing here raises an error or enters Lua again. What is refused answers MG_API_REFUSED; the caller then
 * asks the twin in bind.c, which finds the reason once more and raises it at the script's line.
 *
 * Ownership: texts that are found are borrowed until the next call here.
 */
#ifndef MG_SCRIPT_API_H
#define MG_SCRIPT_API_H

#include <stddef.h>
#include <stdint.h>

/* A request as scripts hold it. It outlives the exchange: everything asked of it afterwards is refused.
 *
 * The fields of the request; names in any letter case.
 * @field request.headers moongate.headers
 * The arguments of the query, decoded.
 * @field request.args moongate.args
 * The cookies that the client sent.
 * @field request.cookies moongate.cookies
 * What `:name` and named groups of the route's path matched, decoded; "*" is the rest.
 * @field request.params moongate.params
 * A table that all policies of this request share; empty at first.
 * @field request.ctx table
 * Who asks, with trusted proxies believed.
 * @field request.client moongate.client
 * The fields of the answer.
 * @field response.headers moongate.headers
 * How long things took, in seconds: `total`, and where an origin was asked `connect` and `response`.
 * @field response.timings table<string, number>
 */
typedef struct mg_slot mg_request;

typedef struct {
    const char *p;
    size_t n;
} mg_text;

enum { MG_API_REFUSED = -1, MG_API_ABSENT = 0, MG_API_FOUND = 1 };

/* What can be asked by mg_api_text and mg_api_number. */
enum {
    /* The method, as in "GET".
     * @field request.method string
     * @writes rewrite access */
    MG_REQUEST_METHOD,
    /* The normalised path, from "/" to before "?".
     * @field request.path string
     * @writes rewrite access */
    MG_REQUEST_PATH,
    /* What stood behind "?", undecoded; nil when there was none.
     * @field request.query string?
     * @writes rewrite access */
    MG_REQUEST_QUERY,
    /* The request target as it came.
     * @field request.target string */
    MG_REQUEST_TARGET,
    /* "http" or "https", with trusted proxies believed.
     * @field request.scheme string */
    MG_REQUEST_SCHEME,
    /* The host that was asked for, lower case, without its port.
     * @field request.host string
     * @writes rewrite access */
    MG_REQUEST_HOST,
    /* The version of HTTP: "1.0" or "1.1".
     * @field request.version string */
    MG_REQUEST_VERSION,
    /* The request's id, for logs: 32 hexadecimal digits unless one was set.
     * @field request.id string
     * @writes rewrite access */
    MG_REQUEST_ID,
    /* The name of the route, nil until one is chosen.
     * @field request.route string? */
    MG_REQUEST_ROUTE,
    /* The name of the site, nil when none fits.
     * @field request.site string? */
    MG_REQUEST_SITE,
    /* The name of the upstream that will be asked, nil when there is none; assign another to choose it.
     * @field request.upstream string?
     * @writes rewrite access */
    MG_REQUEST_UPSTREAM,
    /* The client's address.
     * @field client.ip string */
    MG_CLIENT_IP,
    /* The address of the server that answered, nil when the proxy did.
     * @field response.upstream string? */
    MG_RESPONSE_UPSTREAM,
    /* When the request began, in seconds since 1970.
     * @field request.time number */
    MG_REQUEST_TIME,
    /* When the exchange must be over, in seconds since 1970; nil without `timeouts.request`.
     * @field request.deadline number? */
    MG_REQUEST_DEADLINE,
    /* The client's port; 0 for UNIX sockets.
     * @field client.port integer */
    MG_CLIENT_PORT,
    /* The status that will be sent.
     * @field response.status integer
     * @writes upstream_response response */
    MG_RESPONSE_STATUS,
    MG_API_FIELDS
};

/* Whose header fields. */
enum {
    /* In upstream_request those that will be sent to the origin.
     * @writes rewrite access upstream_request */
    MG_MESSAGE_REQUEST,
    /* @writes upstream_response response */
    MG_MESSAGE_RESPONSE
};

/* Lists of names and values that the client gave. */
enum { MG_ITEM_ARG, MG_ITEM_COOKIE, MG_ITEM_PARAM };

/* Whether the request goes on and is the one that runs: MG_API_FOUND or MG_API_REFUSED. */
int mg_api_alive(mg_request *r);
int mg_api_text(mg_request *r, int field, mg_text *found);
int mg_api_number(mg_request *r, int field, double *found);
int mg_api_set_text(mg_request *r, int field, const char *value, size_t n); /* value NULL: nil */
int mg_api_set_number(mg_request *r, int field, double value);

/* The first value of that name, whatever the letter case. */
int mg_api_header(mg_request *r, int message, const char *name, size_t n, mg_text *found);
int mg_api_set_header(mg_request *r, int message, const char *name, size_t n, const char *value, size_t value_n);
int mg_api_add_header(mg_request *r, int message, const char *name, size_t n, const char *value, size_t value_n);
int mg_api_remove_header(mg_request *r, int message, const char *name, size_t n);

/* The first value of that name, decoded. */
int mg_api_item(mg_request *r, int list, const char *name, size_t n, mg_text *found);

/* What a dictionary that all workers share can hold. Dictionaries stay for as long as the process does. */
enum { MG_API_BOOLEAN = 1, MG_API_NUMBER = 2, MG_API_TEXT = 3 };

typedef struct mg_dict mg_dict;
typedef struct {
    int type;      /* one of these; 0: nothing */
    double number; /* of a boolean: 0 or 1 */
    size_t n;      /* bytes of a text */
} mg_dict_value;

/* How a value is stored: whatever is there, only if nothing is, only if something is. */
enum { MG_API_SET, MG_API_ADD, MG_API_REPLACE };

/* Times to live are seconds; 0 is for ever. FOUND: done. ABSENT: no such key. REFUSED: the twin says why. A text goes
 * into to[room]; one that is longer is refused. `init` is NaN when an absent key is not to be made. */
int mg_api_dict_get(mg_dict *d, const char *key, size_t n, char *to, size_t room, mg_dict_value *found);
int mg_api_dict_put(mg_dict *d, int how, const char *key, size_t n, int type, double number, const char *text,
                    size_t text_n, double ttl);
int mg_api_dict_incr(mg_dict *d, const char *key, size_t n, double by, double init, double ttl, double *found);
int mg_api_dict_delete(mg_dict *d, const char *key, size_t n);

/* Seconds since 1970, and on a clock that never jumps; both as of this turn of the loop. */
double mg_api_now(void);
double mg_api_monotonic(void);

#endif
