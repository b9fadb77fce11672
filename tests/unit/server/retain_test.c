/* Retention's thread beside a store whose disk has little room. */
#include "tests/unit/store/support.h"

#include "server/retain.h"

static void a_low_disk_brings_a_pass_before_its_time(void **state)
{
	const struct retention_rule rule = {
		.age_ms = 1000, .bytes = -1, .count = -1
	};
	struct retain_options o = { .rules = &rule,
		.n_rules = 1,
		.every_ms = 3600000,
		.tombstones_ms = 3600000,
		.disk_ms = 1 };
	struct retain_stats now = { 0 };
	struct store_room room;
	struct why why = { "" };
	struct retain *r = NULL;
	struct place p;

	(void)state;
	place_init(&p);
	/* The store's own look says so, whatever the disk has. */
	p.options.reserve_bytes = (uint64_t)1 << 60;
	place_open(&p);
	store_room(p.store, &room);
	assert_true(room.low);
	o.store = p.store;
	assert_int_equal(retain_start(&o, &r, &why), OK);
	for (int i = 0; now.passes < 3; i++) {
		assert_true(i < 20000);
		usleep(1000);
		retain_stats(r, &now);
	}
	retain_free(r);
	place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_low_disk_brings_a_pass_before_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
