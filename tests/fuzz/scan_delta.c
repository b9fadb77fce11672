/* One event of a chat completion's stream: with and without scan_delta(). */
#include <stdint.h>

#include "tests/unit/worker/both_ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool quick;

	ASSERT(both_ways((const char *)data, size, &quick));
	return 0;
}
