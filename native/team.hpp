// Threads that wait for work. Starting a thread takes as long as a search, so they are kept.
#pragma once
#include <atomic>
#include <cstddef>
#include <exception>

namespace swiftreid {

// Has `act` called in every child process that is forked off from now on.
bool after_fork(void (*act)());

// Calls work(context, member) with members 0..size-1 at once, member 0 on the calling thread, and returns when all are
// done. Where so many threads can't be had there are fewer members. `work` must not throw.
void run_together(unsigned size, void (*work)(void* context, unsigned member), void* context);

// Calls task(number, member) for each number below `count`, shared out one by one among up to `size` members: fixed
// shares would wait for the member whose processor something else uses too. Throws what a task threw.
template <class Task>
void share_out(unsigned size, std::size_t count, Task&& task) {
    if (size > count) size = static_cast<unsigned>(count);
    if (size <= 1) {
        for (std::size_t i = 0; i < count; ++i) task(i, 0u);
        return;
    }
    struct Shared {
        Task& task;
        std::size_t count;
        std::atomic<std::size_t> next{0};
        std::atomic<bool> failed{false};
        std::exception_ptr failure{};
    } shared{task, count};
    const auto work = [](void* context, unsigned member) {
        Shared& all = *static_cast<Shared*>(context);
        try {
            for (std::size_t i; (i = all.next.fetch_add(1, std::memory_order_relaxed)) < all.count;)
                all.task(i, member);
        } catch (...) {
            all.next.store(all.count, std::memory_order_relaxed);
            if (!all.failed.exchange(true)) all.failure = std::current_exception();
        }
    };
    run_together(size, work, &shared);
    if (shared.failure) std::rethrow_exception(shared.failure);
}

}  // namespace swiftreid
