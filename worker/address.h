/*
 * address: may an upstream be reached there?
 *
 * The operator configures upstreams, so loopback and private networks are
 * fine. Nobody runs a model on a link-local address: that is where clouds keep
 * their metadata and its keys. It is asked of the resolved address, because a
 * name can mean anything. This is not enough for a URL that anybody but the
 * operator gives: none is fetched here.
 *
 * Used by: fetch.     Thread: any; pure.
 */
#ifndef WORKER_ADDRESS_H
#define WORKER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * False for 169.254.0.0/16, multicast and broadcast, fe80::/10, ff00::/8, the
 * single addresses that clouds use for it beside these, the same IPv4 addresses
 * inside IPv6 (mapped, compatible, NAT64, 6to4), and whatever is not IP.
 */
bool address_allowed(const struct sockaddr *sa);

/* As above of an address's text; text that is no address is refused. */
bool address_text_allowed(const char *text);

#endif
