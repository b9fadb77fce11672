/*
 * vectors: embeddings as the text of an answer (store/request.h, input): a line
 * for each, its values in base64.
 *
 * Used by: decoder.          Thread: any; pure.
 */
#ifndef WORKER_VECTORS_H
#define WORKER_VECTORS_H

#include "worker/answer.h"
#include "worker/results.h"

/*
 * Tell ${r} as a whole answer, with its end. What fails (a row too long, no
 * memory) is told, too.
 */
void vectors_tell(struct answer *a, const struct results_embeddings *r);

#endif
