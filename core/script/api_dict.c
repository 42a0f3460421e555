/*
 * api_dict: shared dictionaries as compiled Lua reaches them (api.h); interpreted Lua asks bind_dict.c.
 */
#include "script/api.h"
#include "script/bind_dict.h"

#include "shm/dict.h"

_Static_assert((int)MG_API_BOOLEAN == MG_DICT_BOOLEAN && (int)MG_API_NUMBER == MG_DICT_NUMBER && (int)MG_API_TEXT == MG_DICT_STRING,
               "types are the same on both floors");
_Static_assert((int)MG_API_SET == MG_DICT_SET && (int)MG_API_ADD == MG_DICT_ADD && (int)MG_API_REPLACE == MG_DICT_REPLACE,
               "ways to store are the same on both floors");

static int rc_of(int rc)
{
    return rc == MG_DICT_OK ? MG_API_FOUND : rc == MG_DICT_ABSENT ? MG_API_ABSENT : MG_API_REFUSED;
}

int64_t mg_bind_dict_ms(double seconds)
{
    /* A time to live of a century is as good as for ever, and less than a millisecond is not for ever. */
    return seconds > 0 && seconds < 3.2e9 ? (int64_t)(seconds * 1e3 + 0.999) : 0;
}

int mg_api_dict_get(mg_dict *d, const char *key, size_t n, char *to, size_t room, mg_dict_value *found)
{
    mg_dict_found f;
    int rc = mg_dict_get(d, key, n, to, room, &f);
    found->type = f.type;
    found->number = f.number;
    found->n = f.n;
    return rc_of(rc);
}

int mg_api_dict_put(mg_dict *d, int how, const char *key, size_t n, int type, double number, const char *text,
                    size_t text_n, double ttl)
{
    return rc_of(mg_dict_put(d, how, key, n, type, number, text, text_n, mg_bind_dict_ms(ttl), 0));
}

int mg_api_dict_incr(mg_dict *d, const char *key, size_t n, double by, double init, double ttl, double *found)
{
    return rc_of(mg_dict_incr(d, key, n, by, init, mg_bind_dict_ms(ttl), found));
}

int mg_api_dict_delete(mg_dict *d, const char *key, size_t n)
{
    return rc_of(mg_dict_delete(d, key, n));
}
