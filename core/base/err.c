#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

mg_rc mg_err_set(mg_err *err, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return MG_FAIL;
}

mg_rc mg_err_in(mg_err *err, const char *where, ...)
{
    if (err) {
        char text[2 * sizeof err->text];
        va_list args;
        va_start(args, where);
        int n = vsnprintf(text, sizeof text, where, args);
        va_end(args);
        size_t at = n < 0 ? 0 : MG_MIN((size_t)n, sizeof text - 1);
        (void)snprintf(text + at, sizeof text - at, ": %s", err->text);
        text[sizeof err->text - 1] = '\0';
        memcpy(err->text, text, sizeof err->text);
    }
    return MG_FAIL;
}
