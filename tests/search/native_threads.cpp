// Searches by several threads at once, each with a team of its own, against the same searches by one thread; built with
// the thread sanitizer, which reports every access that nothing orders. Needs no Python.
//
//     native_threads ROUNDS
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cascade.hpp"
#include "kernel.hpp"
#include "team.hpp"

using namespace swiftreid;

namespace {

constexpr std::size_t kWidths[] = {4, 16, 64};
constexpr std::size_t kCuts[] = {0, 9000, 9001, 9001, 30000};
constexpr std::size_t kEntries = 30000, kQueries = 5, kFound = 40;

struct Code {
    std::vector<std::uint8_t> rows, queries;
    std::vector<std::vector<std::uint8_t>> planes;
};

struct Gallery {
    std::vector<Code> codes;
    std::vector<std::uint8_t> bitmap;

    Gallery() : bitmap((kEntries + 7) / 8) {
        std::mt19937_64 random(7);
        for (const std::size_t width : kWidths) {
            Code code{std::vector<std::uint8_t>(kEntries * width), std::vector<std::uint8_t>(kQueries * width), {}};
            for (auto& byte : code.rows) byte = static_cast<std::uint8_t>(random() & random());
            for (auto& byte : code.queries) byte = static_cast<std::uint8_t>(random() & random());
            for (std::size_t s = 0; width == 4 && s + 1 < std::size(kCuts); ++s) {
                const std::size_t count = kCuts[s + 1] - kCuts[s];
                code.planes.emplace_back((count + kBlock - 1) / kBlock * kBlock * width);
                slice(code.rows.data() + kCuts[s] * width, count, width, code.planes.back().data());
            }
            codes.push_back(std::move(code));
        }
        for (auto& byte : bitmap) byte = static_cast<std::uint8_t>(random() | random());
        bitmap.back() &= (1u << kEntries % 8) - 1 + (kEntries % 8 == 0) * 255;
    }
};

struct Answer {
    std::vector<std::int64_t> indices, counts;
    std::vector<std::int32_t> distances;
    std::vector<std::int8_t> stages;
    std::vector<double> in, kept, seconds;

    Answer(std::size_t depth, std::size_t width)
        : indices(kQueries * width, -1), counts(kQueries), distances(kQueries * width, -1),
          stages(kQueries * width, -1), in(depth), kept(depth), seconds(depth) {}
    Results results() {
        return {indices.data(), distances.data(), stages.data(), counts.data(), in.data(), kept.data(), seconds.data()};
    }
    bool operator==(const Answer& other) const {
        return indices == other.indices && counts == other.counts && in == other.in && kept == other.kept &&
               distances == other.distances && stages == other.stages;
    }
};

struct Rule {
    std::size_t code;
    Keep keep;
    std::uint64_t amount;
};

struct Question {
    std::vector<Rule> rules;
    Order order;
    bool filtered;
};

const Question kQuestions[] = {
    {{{0, Keep::threshold, 6}, {1, Keep::threshold, 40}, {2, Keep::all, 0}}, Order::search, false},
    {{{0, Keep::threshold, 1}, {1, Keep::threshold, 40}, {2, Keep::all, 0}}, Order::search, true},
    {{{0, Keep::top, 900}, {2, Keep::all, 0}}, Order::search, true},
    {{{1, Keep::top, 700}, {2, Keep::threshold, 180}}, Order::search, false},
    {{{2, Keep::all, 0}}, Order::search, false},
    {{{0, Keep::threshold, 7}, {2, Keep::all, 0}}, Order::rank_by_gallery, false},
};

Answer answer(const Gallery& gallery, const Question& question, unsigned threads) {
    Plan plan{};
    plan.kernel = able_kernels()[0];
    std::vector<std::vector<Segment>> segments(question.rules.size());  // outlive the plan
    for (const Rule& rule : question.rules) {
        const Code& code = gallery.codes[rule.code];
        StagePlan stage{};
        stage.row_bytes = kWidths[rule.code];
        stage.queries = code.queries.data();
        stage.keep = rule.keep;
        stage.amount = rule.amount;
        for (std::size_t s = 0; s + 1 < std::size(kCuts); ++s)
            segments[plan.stages.size()].push_back(
                {code.rows.data() + kCuts[s] * stage.row_bytes, kCuts[s + 1] - kCuts[s],
                 static_cast<std::uint32_t>(kCuts[s]),
                 code.planes.empty() || !plan.stages.empty() ? nullptr : code.planes[s].data()});
        stage.segments = segments[plan.stages.size()];
        plan.stages.push_back(stage);
    }
    plan.entries = kEntries;
    plan.queries = kQueries;
    plan.bitmap = question.filtered ? gallery.bitmap.data() : nullptr;
    plan.width = question.order == Order::search ? kFound : kEntries;
    plan.min_candidates = kFound;
    plan.order = question.order;
    plan.threads = threads;
    Answer answer(question.rules.size(), plan.width);
    run(plan, answer.results());
    return answer;
}

}  // namespace

int main(int count, char** arguments) {
    const int rounds = count > 1 ? std::atoi(arguments[1]) : 3;
    const Gallery gallery;
    std::vector<Answer> expected;
    for (const Question& question : kQuestions) expected.push_back(answer(gallery, question, 1));
    std::atomic<int> wrong{0}, right{0}, caught{0};
    std::vector<std::thread> callers;
    for (unsigned caller = 0; caller < 4; ++caller)
        callers.emplace_back([&, caller] {
            for (int round = 0; round < rounds; ++round)
                for (std::size_t i = 0; i < std::size(kQuestions); ++i) {
                    const std::size_t which = (i + caller) % std::size(kQuestions);
                    const bool same = answer(gallery, kQuestions[which], 1 + (caller + i) % 4) == expected[which];
                    (same ? right : wrong).fetch_add(1);
                    try {  // a team that failed works on
                        share_out(3, 50, [](std::size_t number, unsigned) {
                            if (number % 7 == 3) throw std::runtime_error("as planned");
                        });
                    } catch (const std::runtime_error&) {
                        caught.fetch_add(1);
                    }
                }
        });
    for (std::thread& caller : callers) caller.join();
    std::printf("%d answers are right, %d wrong, %d failures told\n", right.load(), wrong.load(), caught.load());
    return wrong || caught != right;
}
