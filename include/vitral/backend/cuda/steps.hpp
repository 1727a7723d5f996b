// Steps as CUDA graphs: what a step queues is captured and launched as a whole, so that no kernel waits for the host. A
// step's graph is that of the step before with new numbers put in, as steps have the same form; meanwhile the device
// works on the step before.
#pragma once

#include <vitral/backend/cuda/launch.hpp>

#include <array>
#include <cstdio>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

class Steps {
 public:
  /// Runs that the host may queue before it waits for the first of them.
  static constexpr long ahead = 1;
  /// Kernels are queued one by one, as a debugger likes them.
  static inline bool eager = false;

  Steps() {
    for (cudaEvent_t& event : done_)
      require(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() {
    for (const Graph& graph : graphs_)
      if (graph.exec) cudaGraphExecDestroy(graph.exec);
    for (const cudaEvent_t event : done_) cudaEventDestroy(event);
  }

  /// Queues what `work` queues; it must not wait for the device. Runs of one kind share a graph. Returns what to wait
  /// for.
  template <class F>
  long run(std::size_t kind, F&& work) {
    Graph& graph = graphs_[kind];
    if (eager || graph.runs++ < eager_runs)
      work();
    else
      launch(graph, capture(work));
    require(cudaEventRecord(done_[at(runs_)], stream()), "cudaEventRecord");
    return runs_++;
  }

  /// How many graphs were made: one for each kind of run, and one more wherever a run had another form than the one
  /// before.
  [[nodiscard]] long graphs_made() const { return graphs_made_; }

  /// Waits until a run is done, one of the last few; throws what kernels have noted.
  void wait(long run) {
    require(cudaEventSynchronize(done_[at(run)]), "cudaEventSynchronize");
    Faults::instance().look();
  }

 private:
  struct Graph {
    cudaGraphExec_t exec = nullptr;
    int runs = 0;
  };
  // The first runs load kernels, choose algorithms and fill the memory pool, which a capture could not contain.
  static constexpr int eager_runs = 2;
  static constexpr std::size_t kinds = 3, events = 8;

  static std::size_t at(long run) { return static_cast<std::size_t>(run) % events; }

  template <class F>
  static cudaGraph_t capture(F& work) {
    cudaGraph_t captured = nullptr;
    require(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    try {
      work();
    } catch (...) {
      cudaStreamEndCapture(stream(), &captured);
      if (captured) cudaGraphDestroy(captured);
      throw;
    }
    require(cudaStreamEndCapture(stream(), &captured), "cudaStreamEndCapture");
    return captured;
  }

  static const char* reason_of(cudaGraphExecUpdateResult result) {
    switch (result) {
      case cudaGraphExecUpdateErrorTopologyChanged: return "other operations, or in another order";
      case cudaGraphExecUpdateErrorNodeTypeChanged: return "an operation became one of another kind";
      case cudaGraphExecUpdateErrorFunctionChanged:
      case cudaGraphExecUpdateErrorUnsupportedFunctionChange: return "a kernel gave way to one that cannot replace it";
      case cudaGraphExecUpdateErrorParametersChanged: return "parameters changed that have to stay";
      case cudaGraphExecUpdateErrorAttributesChanged: return "attributes of an operation changed that have to stay";
      case cudaGraphExecUpdateErrorNotSupported: return "an operation that cannot be updated";
      default: return "the driver does not say why";
    }
  }

  void launch(Graph& graph, cudaGraph_t captured) {
    cudaGraphExecUpdateResultInfo what{};
    if (graph.exec && cudaGraphExecUpdate(graph.exec, captured, &what) != cudaSuccess) {
      cudaGetLastError();  // the step has another form: it gets a graph of its own
      static bool said = false;
      if (!std::exchange(said, true))
        std::fprintf(stderr,
                     "CUDA: a step could not take the place of the one before in its graph (%s); this costs "
                     "time\n",
                     reason_of(what.result));
      require(cudaGraphExecDestroy(graph.exec), "cudaGraphExecDestroy");
      graph.exec = nullptr;
    }
    if (!graph.exec) {
      require(cudaGraphInstantiate(&graph.exec, captured, 0), "cudaGraphInstantiate");
      ++graphs_made_;
    }
    require(cudaGraphDestroy(captured), "cudaGraphDestroy");
    require(cudaGraphLaunch(graph.exec, stream()), "cudaGraphLaunch");
  }

  std::array<Graph, kinds> graphs_;
  std::array<cudaEvent_t, events> done_{};
  long runs_ = 0, graphs_made_ = 0;
};

}}}  // namespace vitral::cuda
