#include "shm/dicts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYOUT = 1 };
static const char magic[8] = {'m', 'g', '-', 'd', 'i', 'c', 't', '\n'};
_Static_assert(sizeof(mg_dict_region) <= MG_DICT_HEAD, "the head has a page");

struct mg_dicts {
    mg_dict **all;
    size_t count;
};

mg_dicts *mg_dicts_new(void)
{
    return mg_zalloc(sizeof(mg_dicts));
}

static void free_dict(mg_dict *d)
{
    (void)munmap(d->region, d->region->bytes);
    (void)close(d->fd);
    mg_free(d);
}

void mg_dicts_free(mg_dicts *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        free_dict(all->all[i]);
    mg_free(all->all);
    mg_free(all);
}

mg_dict *mg_dicts_find(const mg_dicts *all, const char *name, size_t name_n)
{
    for (size_t i = 0; i < all->count; i++)
        if (mg_str_eq(mg_dict_name(all->all[i]), (mg_str){name, name_n}))
            return all->all[i];
    return NULL;
}

mg_dict *mg_dicts_at(const mg_dicts *all, size_t i)
{
    return i < all->count ? all->all[i] : NULL;
}

int mg_dict_fd(const mg_dict *d)
{
    return d->fd;
}

mg_str mg_dict_name(const mg_dict *d)
{
    return (mg_str){d->region->name, d->region->name_n};
}

uint64_t mg_dict_bytes(const mg_dict *d)
{
    return d->region->bytes;
}

static mg_dict *add(mg_dicts *all, int fd, mg_dict_region *region)
{
    mg_dict *d = mg_alloc(sizeof *d);
    *d = (mg_dict){region, fd};
    all->all = mg_realloc(all->all, (all->count + 1) * sizeof *all->all);
    all->all[all->count++] = d;
    return d;
}

static mg_dict_region *map(int fd, size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static uint32_t shards_for(uint64_t bytes)
{
    uint32_t shards = 1;
    while (shards < MG_DICT_SHARDS && bytes / (2 * shards) >= MG_DICT_SHARD_LEAST)
        shards *= 2;
    return shards;
}

static void init_region(mg_dict_region *r, mg_str name, uint64_t bytes)
{
    r->layout = LAYOUT;
    r->bytes = bytes;
    r->shards = shards_for(bytes);
    r->shard_bytes = (bytes - MG_DICT_HEAD) / r->shards & ~(uint64_t)(MG_DICT_HEAD - 1);
    r->name_n = (uint32_t)name.n;
    memcpy(r->name, name.p, name.n);
    MG_BUG_UNLESS(getrandom(&r->seed, sizeof r->seed, 0) == (ssize_t)sizeof r->seed);
    const mg_dict d = {.region = r};
    for (uint32_t i = 0; i < r->shards; i++)
        mg_shard_init(mg_dict_shard(&d, i), r->shard_bytes);
    memcpy(r->magic, magic, sizeof magic);
}

/* A sealed descriptor of so many zero bytes; -1: errno. */
static int make_memory(uint64_t bytes)
{
    int fd = memfd_create("moongate-dict", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

mg_dict *mg_dicts_open(mg_dicts *all, mg_str name, uint64_t bytes, mg_err *err)
{
    mg_dict *found = mg_dicts_find(all, name.p, name.n);
    if (found)
        return found;
    if (name.n == 0 || name.n > MG_DICT_NAME) {
        (void)mg_err_set(err, "dictionary '%.*s': a name has 1 to %d bytes", MG_STR_ARG(name), MG_DICT_NAME);
        return NULL;
    }
    bytes = (MG_MAX(bytes, (uint64_t)MG_DICT_LEAST_BYTES) + MG_DICT_HEAD - 1) & ~(uint64_t)(MG_DICT_HEAD - 1);
    int fd = make_memory(bytes);
    mg_dict_region *region = fd < 0 ? NULL : map(fd, bytes);
    if (!region) {
        (void)mg_err_set(err, "dictionary '%.*s': no memory of %llu bytes: %s", MG_STR_ARG(name),
                         (unsigned long long)bytes, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return NULL;
    }
    init_region(region, name, bytes);
    return add(all, fd, region);
}

/* It was made by a process of this very build or of another: nothing it says is taken on trust. */
static bool is_ours(const mg_dict_region *r, uint64_t bytes)
{
    return memcmp(r->magic, magic, sizeof magic) == 0 && r->layout == LAYOUT && r->bytes == bytes &&
           r->shards == shards_for(bytes) && r->name_n > 0 && r->name_n <= MG_DICT_NAME &&
           r->shard_bytes == ((bytes - MG_DICT_HEAD) / r->shards & ~(uint64_t)(MG_DICT_HEAD - 1));
}

mg_dict *mg_dicts_attach(mg_dicts *all, int fd, mg_err *err)
{
    struct stat st;
    bool sized = fstat(fd, &st) == 0 && st.st_size >= MG_DICT_LEAST_BYTES;
    mg_dict_region *r = sized ? map(fd, (size_t)st.st_size) : NULL;
    if (!r || !is_ours(r, (uint64_t)st.st_size)) {
        (void)mg_err_set(err, "descriptor %d is no dictionary of this version", fd);
        if (r)
            (void)munmap(r, (size_t)st.st_size);
        (void)close(fd);
        return NULL;
    }
    mg_dict *found = mg_dicts_find(all, r->name, r->name_n);
    if (!found)
        return add(all, fd, r);
    (void)munmap(r, r->bytes);
    (void)close(fd);
    return found;
}
