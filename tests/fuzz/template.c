/*
 * Any bytes as a prompt's text with variables: what passes the check can be
 * rendered, and without variables it is the text.
 */
#include "server/template.h"

#include <stdint.h>
#include <string.h>

#include "store/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct template_var vars[] = { { "a", "{{b}}", 5, false },
		{ "b.c", "", 0, false } };
	struct template_missing missing = { .n = 0 };
	struct why why = { "" };
	struct buf out;
	enum err rc;

	buf_init(&out, 1 << 20);
	rc = template_check(text, size, &why);
	ASSERT(rc == OK || why.text[0] != '\0');
	ASSERT(
	    rc == template_render(text, size, vars, 2, &out, &missing, &why));
	if (rc == OK && memmem(text, size, "{{", 2) == NULL)
		ASSERT(out.len == size &&
		       (size == 0 || memcmp(out.data, text, size) == 0));
	if (rc == OK) {
		rc = template_settle(vars, 2, &missing, &why);
		ASSERT((rc == OK) ==
		       (missing.n == 0 && vars[0].used && vars[1].used));
	}
	buf_fini(&out);
	return 0;
}
