/*
 * http_corpus: requests, whole as sent, and the status that each must get.
 *
 * Used by: parse_http_test, http_corpus_test.
 */
#ifndef TESTS_UNIT_SERVER_HTTP_CORPUS_H
#define TESTS_UNIT_SERVER_HTTP_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

struct http_case {
	const char *name;
	int status; /* 200: it reaches the handler, once */
	bool gate;  /* refused, or answered, behind the parser */
	const char *bytes;
	size_t len;
};

#define CASE(name, status, bytes)                              \
	{                                                      \
		name, status, false, bytes, sizeof(bytes) - 1, \
	}
#define GATE(name, status, bytes)                             \
	{                                                     \
		name, status, true, bytes, sizeof(bytes) - 1, \
	}
#define H "Host: localhost\r\n"
#define C "Connection: close\r\n"
#define G "GET / HTTP/1.1\r\n" H C
#define P "POST / HTTP/1.1\r\n" H C
#define T P "Transfer-Encoding: chunked\r\n"

/* clang-format off */
static const struct http_case http_corpus[] = {
	/* Lengths that two readers could read in two ways. */
	CASE("two equal lengths", 400, P "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
	CASE("two lengths", 400, P "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc"),
	CASE("a list of lengths", 400, P "Content-Length: 3, 3\r\n\r\nabc"),
	CASE("a length with plus", 400, P "Content-Length: +3\r\n\r\nabc"),
	CASE("a length with minus", 400, P "Content-Length: -3\r\n\r\nabc"),
	CASE("an empty length", 400, P "Content-Length:\r\n\r\n"),
	CASE("a hexadecimal length", 400, P "Content-Length: 0x3\r\n\r\nabc"),
	CASE("a length with a blank", 400, P "Content-Length: 1 2\r\n\r\nabc"),
	CASE("a length with a fraction", 400, P "Content-Length: 3.0\r\n\r\nabc"),
	CASE("a quoted length", 400, P "Content-Length: \"3\"\r\n\r\nabc"),
	CASE("length and chunked", 400, T "Content-Length: 3\r\n\r\n0\r\n\r\n"),
	CASE("chunked and length", 400, P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	GATE("a length past the ceiling", 413, P "Content-Length: 1048577\r\n\r\n"),
	GATE("a length of 2^64 and 3", 413, P "Content-Length: 18446744073709551619\r\n\r\nabc"),
	GATE("a length of fifty digits", 413, P "Content-Length: 99999999999999999999999999999999999999999999999999\r\n\r\n"),

	/* Codings. */
	CASE("gzip, chunked", 400, P "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked twice in a list", 400, P "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked in two fields", 400, T "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	CASE("identity", 400, P "Transfer-Encoding: identity\r\n\r\n"),
	CASE("an empty coding", 400, P "Transfer-Encoding:\r\n\r\n"),
	CASE("xchunked", 400, P "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked with a parameter", 400, P "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
	CASE("chunked behind a vertical tab", 400, P "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),

	/* Chunks. */
	CASE("a chunk size with 0x", 400, T "\r\n0x3\r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk size with plus", 400, T "\r\n+3\r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk size with minus", 400, T "\r\n-3\r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk size after a blank", 400, T "\r\n 3\r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk size before a blank", 400, T "\r\n3 \r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk without size", 400, T "\r\n\r\nabc\r\n0\r\n\r\n"),
	CASE("an extension without size", 400, T "\r\n;a=b\r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk size of 17 digits", 400, T "\r\n00000000000000003\r\nabc\r\n0\r\n\r\n"),
	CASE("a chunk of 2^64 - 1", 413, T "\r\nffffffffffffffff\r\nabc"),
	CASE("chunks past the ceiling", 413, T "\r\n3\r\nabc\r\nfffff\r\n"),
	CASE("a chunk longer than its size", 400, T "\r\n3\r\nabcd\r\n0\r\n\r\n"),
	CASE("a chunk that ends in LF", 400, T "\r\n3\r\nabc\n0\r\n\r\n"),
	CASE("a chunk size that ends in LF", 400, T "\r\n3\nabc\r\n0\r\n\r\n"),
	CASE("a NUL in an extension", 400, T "\r\n3;a\0b\r\nabc\r\n0\r\n\r\n"),
	CASE("a bare CR in an extension", 400, T "\r\n3;a\rb\r\nabc\r\n0\r\n\r\n"),
	CASE("a folded trailer", 400, T "\r\n0\r\nA: b\r\n c\r\n\r\n"),
	CASE("a trailer without name", 400, T "\r\n0\r\n: b\r\n\r\n"),
	CASE("a trailer with a blank before the colon", 400, T "\r\n0\r\nA : b\r\n\r\n"),
	CASE("a trailer that ends in LF", 400, T "\r\n0\r\nA: b\n\r\n"),

	/* Lines. */
	CASE("LF after the request line", 400, "GET / HTTP/1.1\n" H C "\r\n"),
	CASE("LF after a field", 400, "GET / HTTP/1.1\r\nHost: localhost\n" C "\r\n"),
	CASE("LF as the last line", 400, G "\n"),
	CASE("LF before the request", 400, "\n" G "\r\n"),
	CASE("a bare CR in a value", 400, G "A: b\rc\r\n\r\n"),
	CASE("a bare CR in the request line", 400, "GET /\r HTTP/1.1\r\n" H "\r\n"),
	CASE("two CR before LF", 400, G "A: b\r\r\n\r\n"),
	CASE("a folded field", 400, G "A: b\r\n c\r\n\r\n"),
	CASE("a field folded by a tab", 400, G "A: b\r\n\tc\r\n\r\n"),
	CASE("a blank before the first field", 400, "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
	CASE("a line of blanks", 400, G " \r\n\r\n"),
	CASE("a NUL in a value", 400, G "A: b\0c\r\n\r\n"),
	CASE("a NUL in a name", 400, G "A\0B: c\r\n\r\n"),
	CASE("a control character in a value", 400, G "A: b\x01\r\n\r\n"),
	CASE("DEL in a value", 400, G "A: b\x7f\r\n\r\n"),
	CASE("a blank before the colon", 400, G "A : b\r\n\r\n"),
	CASE("a blank before Content-Length's colon", 400, P "Content-Length : 3\r\n\r\nabc"),
	CASE("a tab before the colon", 400, G "A\t: b\r\n\r\n"),
	CASE("an empty name", 400, G ": b\r\n\r\n"),
	CASE("a line without colon", 400, G "abc\r\n\r\n"),
	CASE("a name with brackets", 400, G "A(b): c\r\n\r\n"),
	CASE("a name that is not ASCII", 400, G "\xc3\xa4: c\r\n\r\n"),
	CASE("five empty lines first", 400, "\r\n\r\n\r\n\r\n\r\n" G "\r\n"),

	/* The request line. */
	CASE("no version", 400, "GET /\r\n" H "\r\n"),
	CASE("two blanks before the target", 400, "GET  / HTTP/1.1\r\n" H "\r\n"),
	CASE("a blank in the target", 400, "GET /a b HTTP/1.1\r\n" H "\r\n"),
	CASE("a blank behind the version", 400, "GET / HTTP/1.1 \r\n" H "\r\n"),
	CASE("a blank before the method", 400, " GET / HTTP/1.1\r\n" H "\r\n"),
	CASE("a tab as a blank", 400, "GET\t/\tHTTP/1.1\r\n" H "\r\n"),
	CASE("a fragment", 400, "GET /#a HTTP/1.1\r\n" H "\r\n"),
	CASE("a NUL in the target", 400, "GET /\0 HTTP/1.1\r\n" H "\r\n"),
	CASE("a byte of UTF-8 in the target", 400, "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
	CASE("a target without slash", 400, "GET a HTTP/1.1\r\n" H "\r\n"),
	CASE("an asterisk for GET", 400, "GET * HTTP/1.1\r\n" H "\r\n"),
	CASE("no target", 400, "GET  HTTP/1.1\r\n" H "\r\n"),
	CASE("http in lower case", 400, "GET / http/1.1\r\n" H "\r\n"),
	CASE("a version of two digits", 400, "GET / HTTP/1.10\r\n" H "\r\n"),
	CASE("a version without point", 400, "GET / HTTP/1\r\n" H "\r\n"),
	CASE("HTTP/2.0", 505, "GET / HTTP/2.0\r\n" H "\r\n"),
	CASE("HTTP/0.9", 505, "GET / HTTP/0.9\r\n" H "\r\n"),
	CASE("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	CASE("an unknown method", 501, "BREW / HTTP/1.1\r\n" H "\r\n"),
	CASE("a method in lower case", 501, "get / HTTP/1.1\r\n" H "\r\n"),
	CASE("TRACE", 501, "TRACE / HTTP/1.1\r\n" H "\r\n"),
	CASE("CONNECT", 501, "CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n"),
	CASE("a method with brackets", 400, "G(T / HTTP/1.1\r\n" H "\r\n"),
	CASE("a greeting of TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),

	/* Hosts. */
	CASE("no Host", 400, "GET / HTTP/1.1\r\n" C "\r\n"),
	CASE("two Hosts", 400, "GET / HTTP/1.1\r\n" H H "\r\n"),
	CASE("an empty Host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
	CASE("a Host with user", 400, "GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n"),
	CASE("a Host with path", 400, "GET / HTTP/1.1\r\nHost: localhost/a\r\n\r\n"),
	CASE("a Host with a port of letters", 400, "GET / HTTP/1.1\r\nHost: localhost:a\r\n\r\n"),
	CASE("a Host with a port too high", 400, "GET / HTTP/1.1\r\nHost: localhost:65536\r\n\r\n"),
	CASE("a list of Hosts", 400, "GET / HTTP/1.1\r\nHost: localhost, a\r\n\r\n"),
	CASE("an open bracket", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
	CASE("absolute form of another host", 400, "GET http://a.example/ HTTP/1.1\r\n" H "\r\n"),
	CASE("absolute form without host", 400, "GET http:/// HTTP/1.1\r\n" H "\r\n"),
	CASE("absolute form of ftp", 400, "GET ftp://localhost/ HTTP/1.1\r\n" H "\r\n"),
	GATE("absolute form of a foreign host", 421, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" C "\r\n"),
	GATE("a foreign Host", 421, "GET / HTTP/1.1\r\nHost: a.example\r\n" C "\r\n"),
	GATE("a name that begins like ours", 421, "GET / HTTP/1.1\r\nHost: localhost.a.example\r\n" C "\r\n"),
	GATE("0.0.0.0", 421, "GET / HTTP/1.1\r\nHost: 0.0.0.0\r\n" C "\r\n"),
	GATE("a foreign Origin that changes state", 403, P "Origin: http://a.example\r\nContent-Length: 0\r\n\r\n"),
	GATE("Origin null", 403, P "Origin: null\r\nContent-Length: 0\r\n\r\n"),
	GATE("cross-site without Origin", 403, P "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n"),
	CASE("an odd expectation", 417, P "Expect: tea\r\nContent-Length: 1\r\n\r\na"),

	/* Odd and legal. */
	CASE("a plain GET", 200, G "\r\n"),
	CASE("four empty lines first", 200, "\r\n\r\n\r\n\r\n" G "\r\n"),
	CASE("names in any case", 200, "GET / HTTP/1.1\r\nhOsT: localhost\r\ncOnnEction: CLOSE\r\n\r\n"),
	CASE("no blank behind the colon", 200, "GET / HTTP/1.1\r\nHost:localhost\r\nConnection:close\r\n\r\n"),
	CASE("many blanks round a value", 200, "GET / HTTP/1.1\r\nHost: \t localhost \t \r\n" C "\r\n"),
	CASE("an empty value", 200, G "A:\r\n\r\n"),
	CASE("a value that is not ASCII", 200, G "A: \xe4\xc3\xa4\r\n\r\n"),
	CASE("a name of all token characters", 200, G "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n"),
	CASE("HTTP/1.0 without Host", 200, "GET / HTTP/1.0\r\n\r\n"),
	CASE("HTTP/1.9", 200, "GET / HTTP/1.9\r\n" H C "\r\n"),
	CASE("a Host with port", 200, "GET / HTTP/1.1\r\nHost: localhost:1\r\n" C "\r\n"),
	CASE("a Host with an empty port", 200, "GET / HTTP/1.1\r\nHost: localhost:\r\n" C "\r\n"),
	CASE("a Host of IPv6", 200, "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" C "\r\n"),
	CASE("absolute form", 200, "GET http://localhost/ HTTP/1.1\r\n" H C "\r\n"),
	CASE("absolute form without path", 200, "GET http://LOCALHOST HTTP/1.1\r\n" H C "\r\n"),
	CASE("absolute form with a query at once", 200, "GET http://localhost?a HTTP/1.1\r\n" H C "\r\n"),
	CASE("a query", 200, "GET /?a=b&c=%20 HTTP/1.1\r\n" H C "\r\n"),
	CASE("a body", 200, P "Content-Length: 3\r\n\r\nabc"),
	CASE("a body of a GET", 200, G "Content-Length: 3\r\n\r\nabc"),
	CASE("a length with zeros", 200, P "Content-Length: 0003\r\n\r\nabc"),
	CASE("no length", 200, P "\r\n"),
	CASE("chunks", 200, T "\r\n3\r\nabc\r\n0\r\n\r\n"),
	CASE("CHUNKED", 200, P "Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
	CASE("no chunk", 200, T "\r\n0\r\n\r\n"),
	CASE("a chunk size with zeros", 200, T "\r\n0003\r\nabc\r\n000\r\n\r\n"),
	CASE("a chunk size in capitals", 200, T "\r\nA\r\n0123456789\r\n0\r\n\r\n"),
	CASE("chunk extensions", 200, T "\r\n3;a=b;c=\"d e\"\r\nabc\r\n0;z\r\n\r\n"),
	CASE("trailers", 200, T "\r\n3\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\n"),
	CASE("a trailer that looks like a field", 200, T "\r\n0\r\nContent-Length: 3\r\n\r\n"),
	CASE("100-continue", 200, P "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"),
	CASE("an expectation in HTTP/1.0", 200, "GET / HTTP/1.0\r\nExpect: tea\r\n\r\n"),
	CASE("the same field twice", 200, G "A: b\r\nA: c\r\n\r\n"),
	CASE("a foreign Origin that only reads", 200, G "Origin: http://a.example\r\n\r\n"),
	CASE("a POST of the same origin", 200, "POST / HTTP/1.1\r\nHost: localhost:9\r\n" C "Origin: http://localhost:9\r\n\r\n"),
	GATE("an asterisk for OPTIONS", 204, "OPTIONS * HTTP/1.1\r\n" H C "\r\n"),
};
/* clang-format on */
#undef CASE
#undef GATE
#undef H
#undef C
#undef G
#undef P
#undef T

#define HTTP_CORPUS_CASES (sizeof(http_corpus) / sizeof(*http_corpus))

#endif
