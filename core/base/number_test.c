#include "base/number.h"

#include "base/test.h"

static void dec(const char *text, uint64_t wanted)
{
    uint64_t got = 0;
    CHECK_FOR(mg_number_dec(mg_str_of(text), &got) == MG_OK && got == wanted, text);
}

static void no_dec(mg_str text)
{
    uint64_t got;
    CHECK_FOR(mg_number_dec(text, &got) == MG_BAD, mg_test_show(text));
}

TEST("decimal numbers are digits up to 2^63-1")
{
    dec("0", 0);
    dec("007", 7);
    dec("9223372036854775807", INT64_MAX);
    no_dec(MG_STR("9223372036854775808"));
    no_dec(MG_STR("18446744073709551616"));
    no_dec(MG_STR("99999999999999999999999"));
    no_dec(MG_STR(""));
    no_dec(MG_STR_NONE);
    no_dec(MG_STR("+1"));
    no_dec(MG_STR("-1"));
    no_dec(MG_STR(" 1"));
    no_dec(MG_STR("1 "));
    no_dec(MG_STR("1\0"));
    no_dec(MG_STR("0x1"));
    no_dec(MG_STR("1e3"));
    no_dec(MG_STR("/"));
    no_dec(MG_STR(":"));
}

TEST("hexadecimal numbers have digits of either letter case")
{
    uint64_t got = 0;
    CHECK(mg_number_hex(MG_STR("fF09"), &got) == MG_OK && got == 0xff09);
    CHECK(mg_number_hex(MG_STR("7fffffffffffffff"), &got) == MG_OK && got == INT64_MAX);
    CHECK_INT(mg_number_hex(MG_STR("80000000000000000"), &got), MG_BAD);
    CHECK_INT(mg_number_hex(MG_STR("g"), &got), MG_BAD);
    CHECK_INT(mg_number_hex(MG_STR("0x1"), &got), MG_BAD);
    CHECK_INT(mg_number_hex(MG_STR(""), &got), MG_BAD);
}

static void duration(const char *text, int64_t wanted)
{
    int64_t got = -1;
    CHECK_FOR(mg_number_duration(mg_str_of(text), &got) == MG_OK && got == wanted, text);
}

TEST("durations have a unit or are seconds")
{
    duration("250ms", 250);
    duration("30s", 30000);
    duration("5m", 300000);
    duration("1h", 3600000);
    duration("7d", 604800000);
    duration("2", 2000);
    int64_t got;
    CHECK_INT(mg_number_duration(MG_STR("1w"), &got), MG_BAD);
    CHECK_INT(mg_number_duration(MG_STR("s"), &got), MG_BAD);
    CHECK_INT(mg_number_duration(MG_STR("1 s"), &got), MG_BAD);
    CHECK_INT(mg_number_duration(MG_STR("-1s"), &got), MG_BAD);
    CHECK_INT(mg_number_duration(MG_STR(""), &got), MG_BAD);
    CHECK_INT(mg_number_duration(MG_STR("9223372036854775807d"), &got), MG_BAD);
}

TEST("sizes have a unit of 1024 or are bytes")
{
    uint64_t got = 0;
    CHECK(mg_number_size(MG_STR("16k"), &got) == MG_OK && got == 16384);
    CHECK(mg_number_size(MG_STR("10m"), &got) == MG_OK && got == 10485760);
    CHECK(mg_number_size(MG_STR("2g"), &got) == MG_OK && got == 2147483648u);
    CHECK(mg_number_size(MG_STR("12"), &got) == MG_OK && got == 12);
    CHECK_INT(mg_number_size(MG_STR("1kb"), &got), MG_BAD);
    CHECK_INT(mg_number_size(MG_STR("9223372036854775807g"), &got), MG_BAD);
}

static void prints(uint64_t value, const char *decimal, const char *hex)
{
    char to[MG_NUMBER_ROOM];
    CHECK_STR(((mg_str){to, mg_number_print(value, to)}), mg_str_of(decimal));
    CHECK_STR(((mg_str){to, mg_number_print_hex(value, to)}), mg_str_of(hex));
}

TEST("numbers are printed without leading zeros")
{
    prints(0, "0", "0");
    prints(10, "10", "a");
    prints(65535, "65535", "ffff");
    prints(UINT64_MAX, "18446744073709551615", "ffffffffffffffff");
}
