#include "server/cmd/client_reach.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define OLDEST_CURL 0x075700 /* 7.87: CURLOPT_QUICK_EXIT */

/* "http://host:port" of ${url}: a bare connection, without TLS. */
static enum err bare(const char *url, char *dst, size_t room)
{
	char *host = NULL, *port = NULL;
	CURLU *u = curl_url();
	enum err err = ERR_NOMEM;

	if (!u)
		goto out;
	err = ERR_INPUT;
	if (curl_url_set(u, CURLUPART_URL, url, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
	    (size_t)snprintf(dst, room, "http://%s:%s/", host, port) >= room)
		goto out;
	err = OK;
out:
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return err;
}

enum err client_reach(const char *url, int ms, struct why *why)
{
	char to[512], detail[CURL_ERROR_SIZE] = "";
	CURL *curl = NULL;
	CURLcode code;
	enum err err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return ERR_NOMEM;
	err = bare(url, to, sizeof(to));
	if (err) {
		err_why(why, "it is no URL that can be used");
		goto out;
	}
	err = ERR_NOMEM;
	curl = curl_easy_init();
	if (!curl || curl_easy_setopt(curl, CURLOPT_URL, to) ||
	    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) ||
	    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) ||
	    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L) ||
	    curl_easy_setopt(curl, CURLOPT_PROXY, "") ||
	    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail) ||
	    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ms))
		goto out;
	code = curl_easy_perform(curl);
	err = code == CURLE_OK			 ? OK
	      : code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT
						 : ERR_STOPPED;
	if (err)
		err_why(
		    why, "%s", detail[0] ? detail : curl_easy_strerror(code));
out:
	curl_easy_cleanup(curl);
	return err;
}

bool client_library(char *dst, size_t room)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	snprintf(dst, room, "libcurl %s", v->version);
	return v->version_num >= OLDEST_CURL;
}
