#include "codec/h1_framing.h"

#include "codec/h1_test.h"

TEST("Content-Length is one plain number below 2^63 (RFC 9110 section 8.6)")
{
    CHECK_INT(R(POST("Content-Length: 9223372036854775807")).q.msg.content_length, INT64_MAX);
    CHECK_INT(R(POST("Content-Length: 007")).q.msg.content_length, 7);
    CHECK_INT(R(POST("X: y")).q.msg.content_length, -1);
    REFUSED(400, POST("Content-Length: 9223372036854775808"));
    REFUSED(400, POST("Content-Length: 18446744073709551616"));
    REFUSED(400, POST("Content-Length: +1"));
    REFUSED(400, POST("Content-Length: -1"));
    REFUSED(400, POST("Content-Length: 0x10"));
    REFUSED(400, POST("Content-Length: a"));
    REFUSED(400, POST("Content-Length: 1 2"));
    REFUSED(400, POST("Content-Length: 1.0"));
    REFUSED(400, POST("Content-Length:"));
}

TEST("lists and repetitions of Content-Length are refused, equal or not (RFC 9112 section 6.3)")
{
    REFUSED(400, POST("Content-Length: 1, 2"));
    REFUSED(400, POST("Content-Length: 1, 1"));
    REFUSED(400, POST("Content-Length: 1,"));
    REFUSED(400, POST("Content-Length: 1\r\nContent-Length: 2"));
    REFUSED(400, POST("Content-Length: 1\r\nContent-Length: 1"));
}

TEST("Content-Length beside Transfer-Encoding is refused in either order (RFC 9112 section 6.3)")
{
    REFUSED(400, POST("Content-Length: 1\r\nTransfer-Encoding: chunked"));
    REFUSED(400, POST("Transfer-Encoding: chunked\r\nContent-Length: 0"));
}

TEST("Transfer-Encoding is one field that says chunked (RFC 9112 section 6.1)")
{
    CHECK(R(POST("Transfer-Encoding: chunked")).q.msg.chunked);
    CHECK(R(POST("transfer-encoding:\t ChUnKeD ")).q.msg.chunked);
    CHECK(!R(POST("X: y")).q.msg.chunked);
    REFUSED(400, POST("Transfer-Encoding:"));
    REFUSED(400, POST("Transfer-Encoding: identity"));
    REFUSED(400, POST("Transfer-Encoding: xchunked"));
    REFUSED(400, POST("Transfer-Encoding: chunked, chunked"));
    REFUSED(400, POST("Transfer-Encoding: chunked, gzip"));
    REFUSED(400, POST("Transfer-Encoding: chunked,"));
    REFUSED(400, POST("Transfer-Encoding: , chunked"));
    REFUSED(400, POST("Transfer-Encoding: chunked;x=1"));
    REFUSED(400, POST("Transfer-Encoding: \"chunked\""));
    REFUSED(400, POST("Transfer-Encoding: chunked chunked"));
    REFUSED(400, POST("Transfer-Encoding: gzip"));
    REFUSED(400, POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"));
    REFUSED(400, POST("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"));
}

TEST("another coding before chunked is answered 501 (RFC 9112 section 6.1)")
{
    REFUSED(501, POST("Transfer-Encoding: gzip, chunked"));
    REFUSED(501, POST("Transfer-Encoding: x;q=\"1\" ,chunked"));
}

TEST("Transfer-Encoding in HTTP/1.0 is refused (RFC 9112 section 6.1)")
{
    REFUSED(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST("the connection persists as version and Connection say (RFC 9112 section 9.3)")
{
    CHECK(R(FIELD("X: y")).q.msg.keep_alive);
    CHECK(!R(FIELD("Connection: close")).q.msg.keep_alive);
    CHECK(!R(FIELD("Connection: x, CLOSE ,keep-alive")).q.msg.keep_alive);
    CHECK(!R(FIELD("Connection: keep-alive\r\nConnection: close")).q.msg.keep_alive);
    CHECK(R(FIELD("Connection: closed")).q.msg.keep_alive);
    CHECK(!R("GET / HTTP/1.0\r\n\r\n").q.msg.keep_alive);
    CHECK(R("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").q.msg.keep_alive);
    CHECK(!R("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").q.msg.keep_alive);
    REFUSED(400, FIELD("Connection: \"close, x\""));
    REFUSED(400, FIELD("Connection: keep alive"));
    TAKEN(FIELD("Connection:"));
    TAKEN(FIELD("Connection: , close,"));
}

TEST("an upgrade is asked for only with both fields and in 1.1 (RFC 9110 section 7.8)")
{
    CHECK(R(FIELD("Connection: keep-alive, Upgrade\r\nUpgrade: websocket")).q.msg.upgrade);
    CHECK(!R(FIELD("Upgrade: websocket")).q.msg.upgrade);
    CHECK(!R(FIELD("Connection: upgrade")).q.msg.upgrade);
    CHECK(!R("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").q.msg.upgrade);
}

TEST("Expect: 100-continue counts in 1.1, other expectations are answered 417 (RFC 9110 section 10.1.1)")
{
    CHECK(R(POST("Expect: 100-Continue")).q.expect_continue);
    CHECK(!R(POST("X: y")).q.expect_continue);
    CHECK(!R("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").q.expect_continue);
    REFUSED(417, POST("Expect: 200-ok"));
    REFUSED(417, POST("Expect: 100-continue, x=y"));
    REFUSED(417, POST("Expect: 100-continue\r\nExpect: x"));
}

TEST("answers whose framing is in doubt are refused (RFC 9112 section 6.3)")
{
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(A("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").a.msg.chunked);
    CHECK_INT(A("HTTP/1.1 200 OK\r\n\r\n").a.msg.content_length, -1);
}
