#include "exchange/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { JIT_STACK_FIRST = 32 * 1024, JIT_STACK_MOST = 512 * 1024, HEAP_MOST_KIB = 1024 };

struct mg_pattern {
    pcre2_code *code;
    pcre2_match_data *found;
    uint32_t count;
    struct {
        mg_str name;
        uint32_t group;
    } names[MG_PATTERN_PARAMS_MOST];
};

/* One for the process: a match is never interrupted by another one. */
static pcre2_match_context *context;

static void make_context(void)
{
    context = pcre2_match_context_create(NULL);
    pcre2_jit_stack *stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL);
    MG_BUG_UNLESS(context != NULL);
    /* Without room for it PCRE2 uses its own 32 KiB. */
    pcre2_jit_stack_assign(context, NULL, stack);
    (void)pcre2_set_match_limit(context, MG_PATTERN_EFFORT);
    (void)pcre2_set_depth_limit(context, MG_PATTERN_EFFORT);
    (void)pcre2_set_heap_limit(context, HEAP_MOST_KIB);
}

/* The names of groups; each entry of PCRE2's table is a big-endian number and a name with a NUL. */
static mg_rc read_names(mg_pattern *p, mg_err *err)
{
    uint32_t size = 0;
    PCRE2_SPTR table = NULL;
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &p->count);
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &table);
    if (p->count > MG_PATTERN_PARAMS_MOST)
        return mg_err_set(err, "a regular expression may have %d named groups, not %u", MG_PATTERN_PARAMS_MOST, p->count);
    for (uint32_t i = 0; i < p->count; i++, table += size) {
        p->names[i].group = (uint32_t)table[0] << 8 | table[1];
        p->names[i].name = mg_str_of((const char *)table + 2);
    }
    return MG_OK;
}

mg_pattern *mg_pattern_new(mg_str regex, mg_err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    mg_pattern *p = mg_zalloc(sizeof *p);
    if (!context)
        make_context();
    p->code = pcre2_compile((PCRE2_SPTR)(regex.p ? regex.p : ""), regex.n,
                            PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF, &code, &at, NULL);
    if (!p->code) {
        char why[256];
        (void)pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        (void)mg_err_set(err, "regular expression \"%.*s\": %s, at byte %zu", MG_STR_ARG(regex), why, (size_t)at);
        mg_pattern_free(p);
        return NULL;
    }
    /* Where the kernel forbids JIT the interpreter does the same, only slower. */
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    p->found = pcre2_match_data_create_from_pattern(p->code, NULL);
    MG_BUG_UNLESS(p->found != NULL);
    if (read_names(p, err) != MG_OK) {
        mg_pattern_free(p);
        return NULL;
    }
    return p;
}

void mg_pattern_free(mg_pattern *p)
{
    if (!p)
        return;
    pcre2_match_data_free(p->found);
    pcre2_code_free(p->code);
    mg_free(p);
}

mg_rc mg_pattern_match(mg_pattern *p, mg_str text, mg_param *params, uint32_t *count)
{
    int groups = pcre2_match(p->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, 0, p->found, context);
    if (groups < 0)
        return groups == PCRE2_ERROR_NOMATCH ? MG_EOF : MG_LIMIT;
    if (!params)
        return MG_OK;
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(p->found);
    uint32_t filled = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t group = p->names[i].group;
        PCRE2_SIZE from = bounds[2 * group], to = bounds[2 * group + 1];
        if (group >= (uint32_t)groups || from == PCRE2_UNSET || to < from)
            continue;
        params[filled++] = (mg_param){p->names[i].name, {text.p + from, to - from}};
    }
    *count = filled;
    return MG_OK;
}
