#include "exchange/exchange.h"

const char *mg_phase_name(mg_phase p)
{
    static const char *const names[] = {
#define NAME(id, name) [MG_PHASE_##id] = name,
        MG_PHASES(NAME)
#undef NAME
    };
    MG_BUG_UNLESS((unsigned)p < MG_PHASE_COUNT);
    return names[p];
}

const char *mg_end_name(mg_end e)
{
    static const char *const names[] = {
#define NAME(id, name) [MG_END_##id] = name,
        MG_ENDS(NAME)
#undef NAME
    };
    MG_BUG_UNLESS((unsigned)e < MG_END_COUNT);
    return names[e];
}
