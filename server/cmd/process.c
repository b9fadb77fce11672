#include "server/cmd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "store/base/log.h"

static int failed_fd = -1, signal_fd = -1;

static enum err keep_descriptors(struct why *why)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0) {
			err_why(why, "/dev/null: %s", strerror(errno));
			return ERR_IO;
		}
	} while (fd <= STDERR_FILENO);
	close(fd);
	return OK;
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	/* What there is will have to do: http counts it. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

enum err process_prepare(bool secret, struct why *why)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;
	enum err err;

	err = keep_descriptors(why);
	if (err)
		return err;
	sigemptyset(&ignore.sa_mask);
	ending_signals(&set);
	if (sigaction(SIGPIPE, &ignore, NULL) ||
	    sigaction(SIGXFSZ, &ignore, NULL) ||
	    pthread_sigmask(SIG_BLOCK, &set, NULL))
		goto failed;
	if (secret && prctl(PR_SET_DUMPABLE, 0))
		goto failed;
	raise_limit();
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal_fd < 0 || failed_fd < 0)
		goto failed;
	return OK;
failed:
	err_why(why, "cannot set up the process: %s", strerror(errno));
	return ERR_IO;
}

void process_fail(void)
{
	uint64_t one = 1;
	ssize_t rc = write(failed_fd, &one, sizeof(one));

	(void)rc;
}

static void on_second(int number)
{
	_exit(128 + number);
}

/* The wish to end has been heard; the next one is an order. */
static void arm_second(void)
{
	struct sigaction end = { .sa_handler = on_second };
	sigset_t set;

	sigemptyset(&end.sa_mask);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	ending_signals(&set);
	sigdelset(&set, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int process_wait(void)
{
	struct pollfd fds[2] = { { .fd = signal_fd, .events = POLLIN },
		{ .fd = failed_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	int got = 0;

	while (!got) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents) {
			got = -1;
		} else if (read(signal_fd, &info, sizeof(info)) ==
			   (ssize_t)sizeof(info)) {
			if (info.ssi_signo == SIGHUP)
				log_warn("serve", "reload",
				    "told=SIGHUP done=nothing detail=this "
				    "version reads its configuration at the "
				    "start only");
			else
				got = (int)info.ssi_signo;
		}
	}
	arm_second();
	return got;
}
