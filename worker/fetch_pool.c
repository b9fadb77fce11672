/* curl_multi_socket_all() is old; nothing newer looks at every transfer. */
#define CURL_DISABLE_DEPRECATION
#include "worker/fetch_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "worker/fetch_internal.h"
#include "worker/lookups.h"

#define MAX_EVENTS 256
/* Until memory may be there again. */
#define AGAIN_MS 50

/* What fetch_pool_step() does next. */
enum phase { PHASE_SOCKETS, PHASE_TIMER, PHASE_DONE, PHASE_NOTHING };

struct fetch_pool {
	CURLM *multi;
	int epoll_fd, wake_fd;
	int64_t timer_ms; /* when curl wants to be called; -1: never */
	int64_t again_ms; /* when all are looked at again; -1: no need */
	enum phase phase;
	struct lookups lookups;
	int n, next; /* events found, and which comes next */
	struct epoll_event event[MAX_EVENTS];
};

/* curl wants ${fd} watched for ${what} from now on. */
static int on_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetch_pool *p = arg;
	struct epoll_event ev = { .data.fd = fd };
	int rc;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		/* the fd may be closed already, and is then gone by itself */
		epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, &ev);
		return 0;
	}
	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	rc = epoll_ctl(p->epoll_fd,
	    known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
	if (rc != 0 && errno == EEXIST)
		rc = epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, fd, &ev);
	else if (rc != 0 && errno == ENOENT)
		rc = epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	if (rc != 0)
		log_warn("fetch", "socket not watched", "errno=%d", errno);
	if (known == NULL)
		curl_multi_assign(p->multi, fd, p);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct fetch_pool *p = arg;

	(void)multi;
	p->timer_ms = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
	return 0;
}

enum err fetch_pool_new(int wake_fd, struct fetch_pool **ret)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = wake_fd };
	struct fetch_pool *p = calloc(1, sizeof(*p));
	enum err rc = ERR_NOMEM;

	if (p == NULL)
		goto out;
	*p = (struct fetch_pool){ .epoll_fd = -1,
		.wake_fd = wake_fd,
		.timer_ms = -1,
		.again_ms = -1,
		.phase = PHASE_NOTHING };
	p->multi = curl_multi_init();
	if (p->multi == NULL)
		goto out;
	rc = ERR_IO;
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd < 0)
		goto out;
	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, wake_fd, &ev) != 0)
		goto out;
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	*ret = p;
	p = NULL;
	rc = OK;
out:
	fetch_pool_free(p);
	return rc;
}

void fetch_pool_free(struct fetch_pool *p)
{
	if (p == NULL)
		return;
	if (p->multi != NULL)
		curl_multi_cleanup(p->multi);
	if (p->epoll_fd >= 0)
		close(p->epoll_fd);
	free(p);
}

struct lookups *fetch_pool_lookups(struct fetch_pool *p)
{
	return &p->lookups;
}

CURLM *fetch_pool_multi(struct fetch_pool *p)
{
	return p->multi;
}

/* ${timeout_ms} (negative: for ever), or until ${due_ms} if that is earlier. */
static int sooner(int timeout_ms, int64_t due_ms)
{
	int64_t left = due_ms - clock_mono_ms();

	if (due_ms < 0)
		return timeout_ms;
	if (left < 0)
		left = 0;
	return timeout_ms < 0 || left < timeout_ms ? (int)left : timeout_ms;
}

bool fetch_pool_wait(struct fetch_pool *p, int timeout_ms)
{
	bool woken = false;

	timeout_ms = sooner(sooner(timeout_ms, p->timer_ms), p->again_ms);
	p->n = epoll_wait(p->epoll_fd, p->event, MAX_EVENTS, timeout_ms);
	if (p->n < 0)
		p->n = 0; /* a signal: nothing was found */
	for (int i = 0; i < p->n; i++)
		if (p->event[i].data.fd == p->wake_fd)
			woken = true;
	p->next = 0;
	p->phase = PHASE_SOCKETS;
	return woken;
}

/*
 * Without memory for it curl watches a socket neither then nor later, and says
 * nothing to whom it belongs: all are looked at again.
 */
static void look_at(struct fetch_pool *p, CURLMcode rc)
{
	if (rc == CURLM_OK)
		return;
	log_error("fetch", "curl failed", "reason=%s", curl_multi_strerror(rc));
	if (rc == CURLM_OUT_OF_MEMORY)
		p->again_ms = clock_mono_ms() + AGAIN_MS;
}

static void act(struct fetch_pool *p, curl_socket_t fd, int what)
{
	int running;

	look_at(p, curl_multi_socket_action(p->multi, fd, what, &running));
}

static void act_again(struct fetch_pool *p)
{
	int running;

	p->again_ms = -1;
	look_at(p, curl_multi_socket_all(p->multi, &running));
}

static void act_on_event(struct fetch_pool *p, const struct epoll_event *ev)
{
	int what = 0;

	/* an fd of before that is gone by now is ignored by curl */
	if (ev->data.fd == p->wake_fd)
		return;
	if (ev->events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (ev->events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (ev->events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	act(p, ev->data.fd, what);
}

static void report(struct fetch_pool *p)
{
	CURLMsg *msg;
	struct fetch *f;
	int left;

	while ((msg = curl_multi_info_read(p->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		f = NULL;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &f);
		fetch_over(f, msg->data.result);
	}
}

bool fetch_pool_step(struct fetch_pool *p)
{
	switch (p->phase) {
	case PHASE_SOCKETS:
		if (p->next < p->n)
			act_on_event(p, &p->event[p->next++]);
		else
			p->phase = PHASE_TIMER;
		return true;
	case PHASE_TIMER:
		p->phase = PHASE_DONE;
		if (p->timer_ms >= 0 && p->timer_ms <= clock_mono_ms()) {
			p->timer_ms = -1;
			act(p, CURL_SOCKET_TIMEOUT, 0);
		}
		if (p->again_ms >= 0 && p->again_ms <= clock_mono_ms())
			act_again(p);
		return true;
	case PHASE_DONE:
		p->phase = PHASE_NOTHING;
		report(p);
		return true;
	case PHASE_NOTHING: return false;
	}
	return false;
}
