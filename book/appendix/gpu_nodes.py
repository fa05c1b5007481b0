# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # On GPU nodes
#
# You have an account on a cluster that Slurm runs {cite}`yoo2003slurm`, and want the book's long experiments made
# anew, or others of your own. Two commands do it, and nothing is lost when a node dies on the way.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from collections import defaultdict
from statistics import median

from helpers import display, experiments, parameters, records

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()

# %% [markdown]
# ## From clone to record
#
# On the login node, in a folder that the nodes see too:
#
# ```bash
# git clone … shared-weights
# cd shared-weights
# make data                        # creates .venv, installs, fetches the data sets
# make submit EXPERIMENT=cifar10   # one task for each run that has no record
# make status                      # done, running, queued or failed; where, and why
# ```
#
# `make submit` reads the list of runs beside the notebook, `book/experiments/cifar10.yaml`, and refuses it, with
# nothing submitted, when something in it is wrong. It hands the runs that have no record and are not in the queue to
# Slurm as one array: one task per run, one GPU per task. Call it again whenever you like.
#
# What a task asks of a node stands at the head of `slurm/rerun.sbatch`: one GPU of any type, two cores, 16 GB, four
# hours. Say otherwise on the command line, and hand other options to `sbatch` itself:
#
# ```bash
# make submit EXPERIMENT=text GPU=a100 TIME=1:30:00 MEMORY=32G AT_ONCE=4 \
#     SBATCH="--partition=gpu --account=me"
# make submit EXPERIMENT=qm9 SBATCH=--wait
# ```
#
# The last one returns when all tasks are over, with an error when a run has failed.
#
# ## Data, where nodes have no internet
#
# `make data` fetches what full runs read, to your cache, or to the folder that `SHARED_WEIGHTS_DATA` names. Nodes
# that see your home folder need no more. For others, name a folder that they see, each time:
#
# ```bash
# export SHARED_WEIGHTS_DATA=/scratch/me/data
# make data
# make submit EXPERIMENT=cifar10     # Slurm hands the variable on to the tasks
# ```
#
# The molecules and the Bible come with packages and need no download. A file whose checksum is wrong is never read.
#
# ## One notebook on a GPU
#
# Each notebook under `book/` runs by itself, with parameters of yours. The experiments take a device and a precision:
#
# ```bash
# srun --gres=gpu:1 --mem=16G \
#     .venv/bin/papermill -k python3 book/experiments/text.ipynb mine.ipynb \
#     -p profile full -p run mine -p book sherlock -p hidden 512 -p device cuda
# ```
#
# Its record goes to `build/full/records/`: only a run of the list writes to `records/`.
#
# - `auto`: bfloat16 where the device multiplies it in hardware, else float32.
# - `bfloat16`, `float16`: what PyTorch's autocast computes with 16 bits; weights and sums of losses stay in 32. In
#   float16 the loss is scaled, and a step whose gradient overflows is left out.
# - `float32`: everything, in full: TF32, which keeps 10 bits of each factor, is switched off.
#
# The energies of `qm9` and the `palindromes` are always computed in float32. `-p deterministic True` makes a GPU add
# in one order, so that the same seed gives the same bits on the same type of card; operations that cannot do so raise
# an error. It costs time, and how much has not been measured here.
#
# ## What happens when
#
# - *a node dies*: Slurm gives it up and puts its task back into the queue; on another node the run goes on from its
#   last checkpoint, at most a minute old.
# - *the time is nearly up*: two minutes before, the task puts itself back into the queue.
# - *the process dies, or another one still works on the run*: the same, five times at most.
# - *you cancel the job*: `make submit` again: finished runs are left alone, others go on.
# - *a run cannot work: a parameter out of range, a loss that is not finite, a full disk*: it fails, with the reason
#   in `make status`, and the others finish.
# - *a checkpoint is damaged*: the one before takes its place; one of other parameters is refused.
# - *two tasks want one run*: the second goes back into the queue, five times at most; a lock goes with each run.
#
# A run that is interrupted ends with the weights, bit for bit, that it would have had on a processor, and on a GPU as
# far as its operations are deterministic.
#
# ## Reading the logs
#
# Each task writes `build/full/slurm/EXPERIMENT-JOB_TASK.log`: where it runs, for the how many-th time, and how it
# ended. What the notebook said is in `build/full/experiments/EXPERIMENT/RUN/`: `executed.ipynb`, `error.txt` when it
# failed, and scalars for TensorBoard, whose loss, norm of the gradient and learning rate are there from the first
# steps on.
#
# ## What it costs
#
# What the book's own records say. Runs on one card went side by side, several at a time; how long one takes by itself
# was not measured.

# %% tags=["hide-input"]
minutes = defaultdict(lambda: defaultdict(list))
for experiment in experiments.experiments():
    for run in experiments.listed(experiment):
        try:
            made = records.load(experiment, run)["provenance"]
        except records.RecordError:
            continue
        cpu = made["device"] == "cpu"
        threads = f"{made['processor']}, threads: {made['threads']}"
        card = threads if cpu else made["device"]
        minutes[experiment][card].append(made["seconds"] / 60)

display.table(
    {
        "experiment": experiment,
        "made on": card,
        "runs": len(each),
        "median, minutes": f"{median(each):.1f}",
        "longest": f"{max(each):.1f}",
        "all": f"{sum(each):.0f}",
    }
    for experiment, cards in minutes.items()
    for card, each in cards.items()
)

# %% [markdown]
# For what was made on a processor alone no time on a GPU is known. As a guess, and no more: networks as small as
# those of `qm9` keep a GPU waiting for the next batch, and gain less from it than those of `cifar10`.
#
# ## How a record gets into the book
#
# A finished run leaves `records/EXPERIMENT/RUN.json`, and weights where pages use them. Pages that read it are remade
# by the next `make book`:
#
# ```bash
# make book && make test
# make reference/experiments/cifar10     # and of every other page that shows the record
# git add records weights book && git commit
# ```
#
# The record says which commit, packages, card and data it comes from; {doc}`records` lists them. When the code had
# changes that no commit has, the page says so. A file that is no record, cut off or edited by hand so that it lacks
# something, stops the build with its path and what is wrong.
#
# ## What has been tried
#
# The tests of the book start a Slurm of two nodes, kill one in the middle of a run, cancel and submit again, and
# compare the records with those of a machine that nothing happened to: they are equal. There the tasks compute on a
# processor. On real GPUs, an NVIDIA H100 and an H200, the layers, training in bfloat16 and float32, and going on from
# a checkpoint were tested, and the records above made. Not tried on one: float16, and `deterministic`.
