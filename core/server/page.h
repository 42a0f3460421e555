/*
 * page: text that grows while it is written: answers of the control API, tables, metrics.
 *
 * Ownership: the page owns its bytes until mg_page_fini; a zeroed page is empty.
 */
#ifndef MG_SERVER_PAGE_H
#define MG_SERVER_PAGE_H

#include "base/str.h"

typedef struct {
    char *p;
    size_t n, room;
} mg_page;

void mg_page_put(mg_page *to, mg_str text);
void mg_page_print(mg_page *to, const char *format, ...) MG_PRINTF(2, 3);
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so the page is always valid JSON. */
void mg_page_json(mg_page *to, mg_str text);
/* A label's value for Prometheus, without quotes: backslash, quote and line feed escaped. */
void mg_page_label(mg_page *to, mg_str text);
void mg_page_trim(mg_page *to, char c); /* takes one c off the end, if it is there */
void mg_page_fini(mg_page *to);
static inline mg_str mg_page_str(const mg_page *page)
{
    return (mg_str){page->p ? page->p : "", page->n};
}

#endif
