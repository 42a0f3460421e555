#include "script/trouble.h"

#include "base/log.h"
#include "base/number.h"
#include "script/slot.h"

#include <lauxlib.h>
#include <stdio.h>

enum { FRAMES_MOST = 24, TEXT_ROOM = 4096 };

typedef struct {
    char text[TEXT_ROOM];
    size_t n;
} sentence;

static void MG_PRINTF(2, 3) say(sentence *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->text + s->n, sizeof s->text - s->n, format, args);
    va_end(args);
    s->n = MG_MIN(s->n + (size_t)MG_MAX(n, 0), sizeof s->text - 1);
}

/* A file as users know it: below the configuration's folder by its relative path. */
static const char *file_name(const mg_script *s, const lua_Debug *ar)
{
    const char *source = ar->source[0] == '@' || ar->source[0] == '=' ? ar->source + 1 : ar->short_src;
    size_t n = s->folder ? strlen(s->folder) : 0;
    if (n && strncmp(source, s->folder, n) == 0 && source[n] == '/')
        return source + n + 1;
    return source;
}

/* Whether a frame lies in our own library; the policies that ship count as scripts. */
static bool is_ours(const mg_script *s, const lua_Debug *ar)
{
    const char *source = ar->source;
    size_t n = strlen(s->library);
    if (source[0] != '@' || strncmp(source + 1, s->library, n) != 0)
        return false;
    return strncmp(source + 1 + n, "/moongate/", 10) == 0 && strncmp(source + 1 + n, "/moongate/policy/", 17) != 0;
}

/* The line at which a frame stands. LuaJIT has forgotten that of the innermost Lua function once the coroutine
 * has failed; the message mostly knows. 0: unknown. */
static int line_of(const lua_Debug *ar, const char *message)
{
    if (ar->currentline > 0)
        return ar->currentline;
    size_t n = strlen(ar->short_src);
    if (*ar->what == 'C' || strncmp(message, ar->short_src, n) != 0 || message[n] != ':')
        return 0;
    uint64_t line = 0;
    mg_str digits = {message + n + 1, strspn(message + n + 1, "0123456789")};
    return mg_number_dec(digits, &line) == MG_OK && line <= INT32_MAX ? (int)line : 0;
}

/* The frame to blame: the one whose place the message begins with, otherwise the script's innermost. The
 * place is cut off the message. */
static bool find_place(const mg_script *s, lua_State *L, const char **message, lua_Debug *place)
{
    lua_Debug ar;
    bool found = false, memory = strncmp(*message, "not enough memory", 17) == 0;
    for (int level = 0; level < FRAMES_MOST && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        ar.currentline = line_of(&ar, *message);
        if (memory && ar.currentline <= 0 && *ar.what != 'C')
            ar.currentline = ar.linedefined; /* nothing better is known, and it names the function */
        if (ar.currentline <= 0)
            continue;
        char front[LUA_IDSIZE + 32];
        int n = snprintf(front, sizeof front, "%s:%d: ", ar.short_src, ar.currentline);
        if (n > 0 && strncmp(*message, front, (size_t)n) == 0) {
            *message += n;
            *place = ar;
            return true;
        }
        if (!found && !is_ours(s, &ar)) {
            *place = ar;
            found = true;
        }
    }
    return found;
}

static void say_trace(sentence *out, const mg_script *s, lua_State *L, const char *message)
{
    lua_Debug ar;
    bool first = true;
    for (int level = 0; level < FRAMES_MOST && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sln", &ar);
        int line = line_of(&ar, message);
        if (*ar.what == 'C' || is_ours(s, &ar))
            continue;
        say(out, "%s%s:%d", first ? " [" : " < ", file_name(s, &ar), line > 0 ? line : ar.linedefined);
        if (ar.name)
            say(out, " in '%s'", ar.name);
        first = false;
    }
    if (!first)
        say(out, "]");
}

/* The error value on top of L as text; tables and the like by what they print as. */
static const char *message_of(lua_State *L, char *room, size_t size)
{
    const char *text = lua_tostring(L, -1);
    if (text)
        return text;
    snprintf(room, size, "(an error that is a %s)", luaL_typename(L, -1));
    return room;
}

/* Where a script stood when its budget was used up. Afterwards its frames say nothing about that: the error
 * was raised again and again on its way out. */
static struct {
    char file[256];
    int line; /* 0: no script's frame was found */
    sentence trace, whole;
} kept;

void mg_trouble_keep(const mg_script *s, lua_State *L, const char *why)
{
    const char *message = "";
    lua_Debug place;
    kept.line = 0;
    if (find_place(s, L, &message, &place)) {
        snprintf(kept.file, sizeof kept.file, "%s", file_name(s, &place));
        kept.line = place.currentline;
    }
    kept.trace.n = kept.whole.n = 0;
    kept.trace.text[0] = 0;
    say_trace(&kept.trace, s, L, message);
    if (kept.line)
        say(&kept.whole, "%s:%d: ", kept.file, kept.line);
    say(&kept.whole, "%s%s", why, kept.trace.text);
}

const char *mg_trouble_kept(void)
{
    return kept.whole.text;
}

static void describe(sentence *out, const mg_script *s, lua_State *failed, const char *before)
{
    if (mg_budget_has_ended_entry()) {
        say(out, "%s%s", !*before ? "" : kept.line ? before : ": ", kept.whole.text);
        return;
    }
    char room[64];
    const char *message = message_of(failed, room, sizeof room), *whole = message;
    lua_Debug place;
    if (find_place(s, failed, &message, &place))
        say(out, "%s%s:%d: ", before, file_name(s, &place), place.currentline);
    else if (*before)
        say(out, ": ");
    say(out, "%s", message);
    say_trace(out, s, failed, whole);
}

/* The exchange counts for the worker when a hook fails; the route is ours. */
static void count_error(const mg_slot *slot)
{
    if (slot && slot->x && slot->x->route && slot->x->route->stats)
        slot->x->route->stats->script_errors++;
}

static void say_request(sentence *out, const mg_slot *slot)
{
    const mg_exchange *x = slot ? slot->x : NULL;
    if (x)
        say(out, " (request: %.*s %.*s)", MG_STR_ARG(x->req.method_name), (int)MG_MIN(x->req.target.n, 200), x->req.target.p ? x->req.target.p : "");
}

void mg_trouble_in_hook(mg_runner *r, const char *policy, mg_phase phase)
{
    sentence out = {.n = 0};
    say(&out, "script error in policy '%s' (%s)", policy, mg_phase_name(phase));
    describe(&out, r->script, r->co, " at ");
    say_request(&out, r->slot);
    mg_error("%s", out.text);
    count_error(r->slot);
}

void mg_trouble_in_task(mg_runner *r)
{
    sentence out = {.n = 0};
    say(&out, "script error in a task");
    describe(&out, r->script, r->co, " at ");
    mg_error("%s", out.text);
    if (r->script->gen->worker_stats)
        r->script->gen->worker_stats->script_errors++;
}

void mg_trouble_in_answer(mg_runner *r, const char *policy, mg_phase phase, int fn, const char *what)
{
    lua_State *L = r->script->L;
    lua_Debug ar;
    lua_rawgeti(L, LUA_REGISTRYINDEX, fn);
    lua_getinfo(L, ">S", &ar);
    sentence out = {.n = 0};
    say(&out, "script error in policy '%s' (%s) at %s:%d: %s", policy, mg_phase_name(phase), file_name(r->script, &ar), ar.linedefined, what);
    say_request(&out, r->slot);
    mg_error("%s", out.text);
    count_error(r->slot);
}

void mg_trouble_describe(lua_State *L, lua_State *failed, mg_script *s)
{
    sentence out = {.n = 0};
    describe(&out, s, failed, "");
    lua_pushlstring(L, out.text, out.n);
}

void mg_trouble_where(lua_State *L, const mg_script *s)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && !is_ours(s, &ar)) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}
