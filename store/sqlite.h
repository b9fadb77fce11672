/*
 * sqlite: the engine that keeps everything in one file of this machine.
 *
 * Used by: engine.c, which lists it.     Thread: as store/engine.h says.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

struct engine;

/* The driver: a function, so that no header declares a variable. */
const struct engine *sqlite_engine(void);

#endif
