#include "team.hpp"

#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace swiftreid {
namespace {

inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#endif
}

// Looks often for a while before it sleeps: whoever searches once, mostly searches again soon, and waking a sleeping
// thread takes as long as a short search.
constexpr int kLooks = 2000;
constexpr std::size_t kMostMembers = 255;

template <class T>
T wait_while(const std::atomic<T>& value, T old) {
    T now;
    for (int look = 0; look < kLooks; ++look) {
        if ((now = value.load(std::memory_order_acquire)) != old) return now;
        pause();
    }
    while ((now = value.load(std::memory_order_acquire)) == old) value.wait(old, std::memory_order_acquire);
    return now;
}

struct Order {
    void (*work)(void*, unsigned);
    void* context;
    unsigned number;
};

struct Member {
    std::atomic<const Order*> order{nullptr};  // nothing again when it is done

    void live() {
        for (;;) {
            const Order* mine = wait_while<const Order*>(order, nullptr);
            mine->work(mine->context, mine->number);
            order.store(nullptr, std::memory_order_release);
            order.notify_all();
        }
    }
};

struct Pool {
    std::mutex guard;
    std::vector<Member*> idle;
    std::size_t members = 0;

    Member* take() {
        const std::lock_guard<std::mutex> lock(guard);
        if (!idle.empty()) {
            Member* member = idle.back();
            idle.pop_back();
            return member;
        }
        if (members >= kMostMembers) return nullptr;
        try {
            idle.reserve(members + 1);  // so that giving back cannot fail
            auto member = std::make_unique<Member>();
            std::thread(&Member::live, member.get()).detach();
            ++members;
            return member.release();
        } catch (const std::system_error&) {
            return nullptr;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }

    void give_back(Member* const* some, std::size_t count) {
        const std::lock_guard<std::mutex> lock(guard);
        idle.insert(idle.end(), some, some + count);
    }
};

std::atomic<Pool*> g_pool{nullptr};

// Never destroyed: a thread may still search while the interpreter shuts down. A child process has none of its parent's
// threads, and starts with an empty pool.
Pool& pool() {
    static const bool watched = after_fork([] { g_pool.store(nullptr); });
    (void)watched;
    Pool* now = g_pool.load();
    if (!now) {
        Pool* made = new Pool;
        if (g_pool.compare_exchange_strong(now, made)) return *made;
        delete made;
    }
    return *now;
}

}  // namespace

bool after_fork(void (*act)()) {
#if defined(__unix__) || defined(__APPLE__)
    return pthread_atfork(nullptr, nullptr, act) == 0;
#else
    (void)act;
    return false;
#endif
}

void run_together(unsigned size, void (*work)(void*, unsigned), void* context) {
    Member* members[kMostMembers];
    Order orders[kMostMembers];
    unsigned hired = 0;
    while (hired + 1 < size && hired < kMostMembers && (members[hired] = pool().take())) {
        orders[hired] = {work, context, hired + 1};
        members[hired]->order.store(&orders[hired], std::memory_order_release);
        members[hired]->order.notify_all();
        ++hired;
    }
    work(context, 0);
    for (unsigned i = 0; i < hired; ++i) wait_while<const Order*>(members[i]->order, &orders[i]);
    if (hired) pool().give_back(members, hired);
}

}  // namespace swiftreid
