#include "base/fault.h"

#ifdef MG_FAULTS
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MOST = 16, NAME_ROOM = 32 };

static struct fault {
    char name[NAME_ROOM];
    char how; /* ' ' always, '=' once at the count, '%' each count-th time */
    unsigned long count, passed;
} faults[FAULTS_MOST];
static unsigned fault_count;
static bool loaded;

static void load(void)
{
    loaded = true;
    const char *at = getenv("MOONGATE_FAULTS");
    while (at && *at && fault_count < FAULTS_MOST) {
        struct fault *f = &faults[fault_count++];
        size_t n = strcspn(at, ",=%");
        memcpy(f->name, at, MG_MIN(n, (size_t)NAME_ROOM - 1));
        f->how = ' ';
        at += n;
        if (*at == '=' || *at == '%') {
            f->how = *at;
            f->count = strtoul(at + 1, NULL, 10);
            at += strcspn(at, ",");
        }
        if (*at == ',')
            at++;
    }
}

bool mg_fault_hit(const char *name)
{
    if (!loaded)
        load();
    for (unsigned i = 0; i < fault_count; i++) {
        struct fault *f = &faults[i];
        if (strcmp(f->name, name) != 0)
            continue;
        f->passed++;
        return f->how == ' ' || (f->how == '=' ? f->passed == f->count : f->count && f->passed % f->count == 0);
    }
    return false;
}
#else
typedef int mg_fault_unused; /* ISO C wants something in each file */
#endif
