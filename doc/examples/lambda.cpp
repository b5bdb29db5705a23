// lambda.cpp: AIMSS from C++17: handles in unique_ptr, a lambda for the records.
// Each compute rank writes and reads. Run: mpirun -n 4 ./lambda
#include <aimss.h>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

static void must(aimss_status_t status)
{
    if (status >= 0)
        return;
    std::fprintf(stderr, "lambda: %s\n", aimss_error_text());
    std::exit(1); // mpirun ends the other ranks
}

struct Destroy {
    void operator()(aimss_stream *stream) const { aimss_stream_destroy(stream); }
    void operator()(aimss_reader *reader) const { must(aimss_reader_close(reader)); }
};

static void compute(aimss_runtime *rt)
{
    aimss_stream_options options{};
    aimss_stream *stream = nullptr;
    aimss_reader *reader = nullptr;
    aimss_writer *writer = nullptr;
    std::map<std::string, int> seen;

    options.format = AIMSS_FORMAT_KEYED;
    aimss_runtime_compute_rank(rt, nullptr, &options.writer_count); // all of them write
    must(aimss_stream_create(rt, "colours", &options, &stream));
    std::unique_ptr<aimss_stream, Destroy> stream_owner(stream);
    must(aimss_read_from(stream, nullptr, &reader));
    std::unique_ptr<aimss_reader, Destroy> reader_owner(reader);
    must(aimss_writer_open(stream, nullptr, &writer));
    for (std::string colour : {"red", "green", "blue", "green"})
        must(aimss_writer_put(writer, {colour.data(), colour.size()}, AIMSS_NO_BYTES));
    must(aimss_writer_close(writer));

    auto count = [](void *arg, const aimss_record *record) {
        auto key = static_cast<const char *>(record->key.data);
        ++(*static_cast<decltype(seen) *>(arg))[{key, record->key.len_bytes}];
        return 0;
    };
    must(aimss_reader_apply(reader, count, &seen)); // until the stream ends
    for (const auto &[colour, times] : seen)
        std::printf("%s %d\n", colour.c_str(), times);
}

int main(int argc, char **argv)
{
    aimss_runtime *rt = nullptr;
    must(aimss_runtime_create(&argc, &argv, nullptr, &rt));
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
        compute(rt);
    must(aimss_runtime_destroy(rt)); // the other ranks serve in here
}
