#include "tests/bench/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fprintf(stderr, "spool_bench: ");
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

uint64_t process_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

_Noreturn static void child(
    const char *const *argv, const char *const *env, const int pipe_fd[2])
{
	/* whatever becomes of us, it must not outlive us */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(pipe_fd[1], STDOUT_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	execve(argv[0], (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)env);
	_exit(127);
}

/* Read what it says until it says where it listens. */
static void await_port(struct process *p, const char *name)
{
	static const char word[] = "http://127.0.0.1:";
	char text[8192], *at;
	size_t n = 0;
	ssize_t got;

	while (n + 1 < sizeof(text) &&
	       (got = read(p->output, text + n, sizeof(text) - 1 - n)) > 0) {
		n += (size_t)got;
		text[n] = '\0';
		at = strstr(text, word);
		if (at != NULL && strchr(at, '\n') != NULL) {
			p->port = atoi(at + strlen(word));
			return;
		}
	}
	text[n] = '\0';
	die("%s did not listen:\n%s", name, text);
}

void process_start(
    struct process *p, const char *const *argv, const char *const *env)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		die("no pipe");
	p->pid = fork();
	if (p->pid < 0)
		die("no process");
	if (p->pid == 0)
		child(argv, env, fds);
	close(fds[1]);
	p->output = fds[0];
	await_port(p, argv[1]);
}

void process_kill(struct process *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->output);
}

/* The text of /proc/PID/${name}. */
static void proc(
    const struct process *p, const char *name, char *dst, size_t room)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)p->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, dst, room - 1);
	if (n < 0)
		die("cannot read %s: is the process gone?", path);
	dst[n] = '\0';
	close(fd);
}

double process_cpu_us(const struct process *p)
{
	unsigned long user, system;
	char text[2048], *at;

	proc(p, "stat", text, sizeof(text));
	at = strrchr(text, ')');
	if (at == NULL ||
	    sscanf(at + 2,
		"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		&system) != 2)
		die("/proc/PID/stat is not what it was");
	return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* The number behind ${name} in ${text}. */
static unsigned long long number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

uint64_t process_written(const struct process *p)
{
	char text[1024];

	proc(p, "io", text, sizeof(text));
	return number(text, "\nwrite_bytes:");
}

double process_rss_kb(const struct process *p)
{
	char text[4096];

	proc(p, "status", text, sizeof(text));
	return (double)number(text, "\nVmRSS:");
}
