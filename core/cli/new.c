#include "cli/commands.h"
#include "cli/places.h"
#include "os/file.h"

#include <stdio.h>

enum { NAME_MOST = 40, TEMPLATE_MOST = 64 * 1024 };

/* What a project is made of: the template in conf/scaffold/policy/ and where it goes. */
static const struct part {
    const char *template, *path;
} parts[] = {
    {"policy.lua", "scripts/@name@.lua"},
    {"policy_spec.lua", "spec/@name@_spec.lua"},
    {"moongate.lua", "moongate.lua"},
    {"rockspec", "moongate-policy-@rock@-scm-1.rockspec"},
    {"README.md", "README.md"},
    {"luacheckrc", ".luacheckrc"},
    {"luarc.json", ".luarc.json"},
    {"gitignore", ".gitignore"},
};

/* What stands for what in templates and paths: "@name@". */
typedef struct {
    const char *mark;
    mg_str text;
} filling;

enum { NAME, ROCK, LIBRARY, FILLINGS };

/* Words that `local NAME = {}` or `require "NAME"` would take for something else. */
static const char *const taken[] = {
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while", "string", "table", "math", "io", "os", "debug",
    "coroutine", "package", "bit", "jit", "ffi", "moongate",
};

/* ---- the name ---- */

static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", others[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    return *name && strspn(name, letters) > 0 && name[strspn(name, others)] == 0 && strlen(name) <= NAME_MOST;
}

static bool is_taken(const char *name)
{
    for (size_t i = 0; i < MG_COUNT(taken); i++)
        if (strcmp(taken[i], name) == 0)
            return true;
    return false;
}

/* Names of rocks have dashes. */
static mg_str rock_of(const char *name, mg_arena *arena)
{
    mg_str rock = mg_arena_copy(arena, mg_str_of(name));
    char *p = mg_arena_alloc(arena, rock.n + 1);
    for (size_t i = 0; i <= rock.n; i++)
        p[i] = (char)(rock.p[i] == '_' ? '-' : rock.p[i]);
    return (mg_str){p, rock.n};
}

/* ---- the templates ---- */

/* The text as it stands between the quotes of JSON. */
static mg_str quoted(const char *text, mg_arena *arena)
{
    char *to = mg_arena_alloc(arena, 2 * strlen(text) + 1), *p = to;
    for (; *text; *p++ = *text++)
        if (*text == '"' || *text == '\\')
            *p++ = '\\';
    return (mg_str){to, (size_t)(p - to)};
}

static const filling *mark_at(mg_str text, const filling *fillings)
{
    for (size_t i = 0; i < FILLINGS; i++)
        if (mg_str_starts(text, mg_str_of(fillings[i].mark)))
            return &fillings[i];
    return NULL;
}

/* The text with every mark replaced, in the arena and with a NUL behind it. */
static mg_str fill(mg_str text, const filling *fillings, mg_arena *arena)
{
    mg_str out = {NULL, 0};
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        const filling *f = text.p[i] == '@' ? mark_at((mg_str){text.p + i, text.n - i}, fillings) : NULL;
        if (!f)
            continue;
        out = mg_arena_print(arena, "%.*s%.*s%.*s", MG_STR_ARG(out), (int)(i - from), text.p + from,
                             MG_STR_ARG(f->text));
        i += strlen(f->mark) - 1;
        from = i + 1;
    }
    return mg_arena_print(arena, "%.*s%.*s", MG_STR_ARG(out), (int)(text.n - from), text.p + from);
}

static mg_rc write_part(const struct part *part, const char *folder, const char *templates, const filling *fillings,
                        mg_arena *arena, mg_err *err)
{
    mg_str text;
    const char *from = mg_arena_print(arena, "%s/%s", templates, part->template).p;
    mg_rc rc = mg_file_read(from, arena, TEMPLATE_MOST, &text, err);
    if (rc != MG_OK)
        return rc;
    const char *path = mg_arena_print(arena, "%s/%s", folder, fill(mg_str_of(part->path), fillings, arena).p).p;
    rc = mg_file_make_folders(path, err);
    if (rc == MG_OK)
        rc = mg_file_write(path, fill(text, fillings, arena), 0644, err);
    if (rc == MG_OK)
        printf("  %s\n", path);
    return rc;
}

static int write_all(const char *name, const char *library, mg_arena *arena)
{
    const filling fillings[FILLINGS] = {
        [NAME] = {"@name@", mg_str_of(name)},
        [ROCK] = {"@rock@", rock_of(name, arena)},
        [LIBRARY] = {"@library@", quoted(library, arena)},
    };
    /* Beside the library, in the tree as well as where it is installed. */
    const char *templates =
        mg_arena_print(arena, "%.*s/conf/scaffold/policy", MG_STR_ARG(mg_file_folder(mg_str_of(library)))).p;
    mg_err err;
    for (size_t i = 0; i < MG_COUNT(parts); i++) {
        if (write_part(&parts[i], name, templates, fillings, arena, &err) == MG_OK)
            continue;
        (void)fprintf(stderr, "moongate new: %s\n", err.text);
        return MG_EXIT_FAILED;
    }
    printf("\nnow:  cd %s && moongate test && moongate run -c moongate.lua\n", name);
    return MG_EXIT_DONE;
}

static int new_policy(const char *name)
{
    const char *library = mg_places_library();
    if (!library)
        return MG_EXIT_FAILED;
    if (mg_file_exists(name)) {
        (void)fprintf(stderr, "moongate new: %s is there already\n", name);
        return MG_EXIT_FAILED;
    }
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    int code = MG_EXIT_FAILED;
    /* A rock of that name would never be found: policies that ship come first. */
    if (mg_file_exists(mg_arena_print(&arena, "%s/moongate/policy/%s.lua", library, name).p))
        (void)fprintf(stderr, "moongate new: a policy named %s ships with moongate\n", name);
    else
        code = write_all(name, library, &arena);
    mg_arena_fini(&arena);
    return code;
}

static int new(const mg_cli *c)
{
    const char *kind = c->words[0], *name = c->words[1];
    if (strcmp(kind, "policy") != 0)
        return mg_cli_wrong(c->command, "there is nothing new of the kind '%s'; there is: policy", kind);
    if (!is_name(name))
        return mg_cli_wrong(c->command, "'%s' is no name for a policy: at most %d of a-z, 0-9 and _, a letter first",
                            name, NAME_MOST);
    if (is_taken(name))
        return mg_cli_wrong(c->command, "'%s' is a name of Lua's own", name);
    return new_policy(name);
}

const mg_cli_command mg_command_new = {
    .name = "new",
    .words = "policy NAME",
    .summary = "Make a project for a policy: module, spec, configuration, rockspec, README, in the folder NAME.",
    .details = "What it makes passes `moongate test`, `moongate check`, luacheck and `luarocks lint` as it is.\n",
    .least = 2,
    .most = 2,
    .run = new,
};
