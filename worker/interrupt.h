/*
 * interrupt: what is to be done when an answer breaks off after some of it has
 * been shown. Before that there is no question: a failed attempt leaves no
 * trace in the text.
 *
 *  fail      the execution fails and keeps what came
 *  restart   a new attempt from the beginning; a reset chunk before its first
 *            content withdraws what was shown
 *  continue  a new attempt gets what was shown to go on from; where that
 *            cannot be (see prefill.h), as fail: nothing is ever withdrawn
 *  auto      continue where that can be, else restart
 *
 * Used by: run, worker.     Thread: any; pure.
 */
#ifndef WORKER_INTERRUPT_H
#define WORKER_INTERRUPT_H

#include <stdbool.h>
#include <stddef.h>

enum interrupt {
	INTERRUPT_FAIL,
	INTERRUPT_RESTART,
	INTERRUPT_CONTINUE,
	INTERRUPT_AUTO,
};

/* The policy called ${name}, of ${len} bytes; false when there is none. */
bool interrupt_parse(const char *name, size_t len, enum interrupt *ret);

bool interrupt_restarts(enum interrupt i);
bool interrupt_continues(enum interrupt i);

#endif
