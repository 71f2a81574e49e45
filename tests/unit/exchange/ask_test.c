/*
 * exchange/ask: questions to an upstream on the loopback that the tests play themselves: what is an answer,
 * what is none, when a question is put again, and that its connection goes back to the pool.
 */
#include "exchange/deadline.h"

#include "../upstream/cluster_scene.h"

#include <stdlib.h>

#define INTERIM "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
#define ASKED   "GET /judge HTTP/1.1\r\nhost: judge\r\n\r\n"

static struct address address;
static int listening, server; /* the upstream's sockets; server -1: nobody has connected */
static struct arena arena;
static struct heard heard;
static struct exchange_home home;
static struct pin pin;
static struct exchange x;
static struct policy_question question;
static bool answered;

static void run(struct task *task)
{
    assert_ptr_equal(task, &x.task);
    answered = answered || ask_go_on(&x);
    deadline_watch(&x);
}

static int set_up(void **state)
{
    (void)state;
    start_cluster();
    arena_init(&arena, NULL, 0);
    listening = listen_somewhere(&address);
    server = -1;
    struct endpoint_set *set = endpoint_set_new(SLICE("api"), 1);
    set->addresses[0] = address;
    clusters_adopt(&clusters, set);
    endpoint_set_unref(&set);
    home = (struct exchange_home){.loop = &loop};
    pin = (struct pin){.clusters = &cluster};
    x = (struct exchange){.magic = EXCHANGE_MAGIC,
                          .step = STEP_ask,
                          .home = &home,
                          .pin = &pin,
                          .terms.write_timeout_us = 60 * SECOND_US,
                          .arena = &arena};
    task_init(&x.task, &loop.tasks, run, false);
    deadline_start(&x);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    deadline_stop(&x);
    ask_end(&x, FAULT_shutdown);
    task_cancel(&x.task);
    stop_cluster();
    arena_fini(&arena);
    close(listening);
    if (server >= 0)
        close(server);
    return 0;
}

/* Puts the question; the upstream has it when this returns. */
static void ask(bool on_a_new_connection)
{
    question = (struct policy_question){.upstream = &upstream,
                                        .request = {.method = METHOD_GET,
                                                    .method_text = SLICE("GET"),
                                                    .target = SLICE("/judge"),
                                                    .version_minor = 1,
                                                    .keep_alive = true},
                                        .timeout_us = 2 * SECOND_US};
    fields_add_id(&question.request.fields, &arena, FIELD_host, SLICE("judge"));
    x.call.question = &question;
    answered = false;
    task_wake(&x.task);
    if (on_a_new_connection) {
        if (server >= 0)
            close(server);
        server = accept_next(listening);
    }
    memset(&heard, 0, offsetof(struct heard, text));
    HEAR(server, &heard, ASKED);
}

static void answer(const char *text)
{
    say(server, text);
    TURN_UNTIL(answered);
    assert_true(question.answered);
    assert_null(x.asking);
}

static const char *value_of(const struct policy_question *asked, const char *name)
{
    for (unsigned i = 0; i < asked->response.fields.count; i++) {
        const struct field *field = &asked->response.fields.at[i];
        if (slice_equal_nocase(field_name(field), slice_of(name)))
            return arena_copy(&arena, field_value(field));
    }
    return NULL;
}

/* Its bytes are copied: the connection is somebody else's by now. */
static void an_answer_outlives_its_connection(void **state)
{
    (void)state;
    ask(true);
    answer(INTERIM "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                   "Content-Length: 4\r\n\r\nwho?");
    struct policy_question first = question;
    ask(false); /* on the same connection */
    answer("HTTP/1.1 204 No\r\nX-Next: "
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n");
    assert_int_equal(question.response.status, 204);
    assert_int_equal(first.fault, FAULT_NONE);
    assert_int_equal(first.response.status, 401);
    assert_string_equal(value_of(&first, "www-authenticate"), "Bearer");
    assert_null(value_of(&first, "x-hop"));
    assert_true(slice_equal(first.content, SLICE("who?")));
}

static void what_is_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
        enum fault fault;
        const char *content;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, FAULT_NONE, "hi"},
        {"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1\r\n!\r\n0\r\n\r\n", 403,
         FAULT_NONE, "no!"},
        {INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM "HTTP/1.1 204 No\r\n\r\n", 204,
         FAULT_NONE, ""},
        {INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM "HTTP/1.1 204 No\r\n\r\n", 0,
         FAULT_upstream_malformed, ""},
        {"HTTP/1.1 101 Now\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 0, FAULT_upstream_bad_upgrade, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", 0, FAULT_upstream_malformed,
         ""},
        {"what?\r\n\r\n", 0, FAULT_upstream_malformed, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(i == 0 || question.fault != FAULT_NONE);
        answer(rows[i].text);
        if (question.fault != rows[i].fault)
            fail_msg("%s: %s", rows[i].text, fault_row(question.fault)->name);
        assert_int_equal(question.response.status, rows[i].status);
        assert_true(slice_equal(question.content, slice_of(rows[i].content)));
        assert_null(value_of(&question, "connection"));
        assert_null(value_of(&question, "link"));
    }
}

static void say_much(unsigned status)
{
    char head[64];
    static char page[16 * 1024];
    memset(page, 'x', sizeof page);
    ask(true);
    snprintf(head, sizeof head, "HTTP/1.1 %u X\r\nContent-Length: 1000000\r\n\r\n", status);
    say(server, head);
    for (unsigned i = 0; i < 8 && !answered; i++) {
        (void)!write(server, page, sizeof page);
        turn_for(2000);
    }
    TURN_UNTIL(answered);
    assert_null(x.asking);
}

/* Nobody reads what consent says; a refusal goes to the client, who has to get all of it. */
static void an_answer_has_an_end(void **state)
{
    (void)state;
    say_much(200);
    assert_int_equal(question.fault, FAULT_NONE);
    say_much(403);
    assert_int_equal(question.fault, FAULT_upstream_malformed);
    ask(true); /* neither connection is used again */
    answer("HTTP/1.1 204 No\r\n\r\n");
}

static void an_answer_has_its_time(void **state)
{
    (void)state;
    ask(true);
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    turn_for(5000);
    assert_false(answered);
    pass(3 * SECOND_US);
    TURN_UNTIL(answered);
    assert_int_equal(question.fault, FAULT_first_byte_timeout);
}

static void who_does_not_answer(void **state)
{
    (void)state;
    ask(true);
    shutdown(server, SHUT_RDWR);
    TURN_UNTIL(answered);
    assert_int_equal(question.fault, FAULT_upstream_closed);
    close(listening);
    task_wake(&x.task);
    question.answered = answered = false;
    TURN_UNTIL(answered);
    assert_int_equal(question.fault, FAULT_connect_refused);
    listening = listen_somewhere(&(struct address){0});
}

/* The upstream may have closed a connection that rested in the same moment: that is nobody's answer. */
static void a_connection_that_had_rested(void **state)
{
    (void)state;
    ask(true);
    answer("HTTP/1.1 204 No\r\n\r\n");
    ask(false);
    shutdown(server, SHUT_RDWR);
    close(server);
    server = accept_next(listening);
    memset(&heard, 0, offsetof(struct heard, text));
    HEAR(server, &heard, ASKED);
    shutdown(server, SHUT_RDWR); /* once */
    TURN_UNTIL(answered);
    assert_int_equal(question.fault, FAULT_upstream_closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_outlives_its_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_has_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_has_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_had_rested, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
