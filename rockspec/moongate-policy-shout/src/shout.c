/*
 * shout.native: text in capitals, with exclamation marks behind it.
 *
 *      native.shout("hello", 3)  -->  "HELLO!!!"
 *
 * A C module like any other for Lua 5.1. It is called on the event loop of a worker, so it must not wait. The text
 * grows in a buffer of Lua's, which Lua frees whatever happens; nothing here is kept between two calls.
 */
#include <lauxlib.h>
#include <lua.h>

enum { MARKS_MOST = 10 };

int luaopen_shout_native(lua_State *L);

/* ASCII alone, whatever the locale of the process: what goes into a header must not depend on it. */
static char capital(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static int shout(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer marks = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, marks >= 0 && marks <= MARKS_MOST, 2, "0 to 10 marks");
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < length; i++)
        luaL_addchar(&out, capital(text[i]));
    for (lua_Integer i = 0; i < marks; i++)
        luaL_addchar(&out, '!');
    luaL_pushresult(&out);
    return 1;
}

int luaopen_shout_native(lua_State *L)
{
    static const luaL_Reg functions[] = {{"shout", shout}, {NULL, NULL}};
    lua_createtable(L, 0, 1);
    luaL_register(L, NULL, functions);
    return 1;
}
