package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
)

// taskDerive is the Asynq task type; its payload is a taskPayload and nothing
// else: no patient data, no UIDs, no file names.
const taskDerive = "radtier:derive"

// queueName is the Asynq queue of derive tasks.
const queueName = "derive"

type taskPayload struct {
	Job string `json:"job"`
}

// queue hands jobs to workers through Asynq. The catalog remembers what is to
// be done; Redis holds a window of it. Losing Redis costs time, never a job.
type queue struct {
	client    *asynq.Client
	inspector *asynq.Inspector
}

func newQueue(redis asynq.RedisConnOpt) *queue {
	return &queue{client: asynq.NewClient(redis), inspector: asynq.NewInspector(redis)}
}

func (q *queue) Close() error { return errors.Join(q.client.Close(), q.inspector.Close()) }

// Dispatch implements Dispatcher. A task's id is its job and the attempt that
// will follow, so a job is in the queue once, and a finished, archived or
// lost task of an earlier attempt never stands in the way of the next.
func (q *queue) Dispatch(ctx context.Context, job catalog.Job) error {
	payload, err := json.Marshal(taskPayload{job.ID})
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s.%d", job.ID, job.Attempt+1)
	put := func(id string) error {
		_, err := q.client.EnqueueContext(ctx, asynq.NewTask(taskDerive, payload),
			asynq.Queue(queueName), asynq.TaskID(id), asynq.MaxRetry(0), asynq.Timeout(maxTaskTime))
		return err
	}
	err = put(id)
	if !errors.Is(err, asynq.ErrTaskIDConflict) {
		return err
	}
	// It is there; after a hiccup of the network it may be our own. But a task
	// whose worker died before it owned the job must not block it: Asynq holds it as
	// active for a minute or two, then archives it under the same id.
	info, err := q.inspector.GetTaskInfo(queueName, id)
	switch {
	case err != nil:
		return nil // gone meanwhile: it was taken
	case info.State == asynq.TaskStateActive:
		id += ".again" // at worst two tasks ask for one lease, and one gets it
	case info.State != asynq.TaskStateArchived:
		return nil
	case q.inspector.DeleteTask(queueName, id) != nil:
		return nil // somebody else was faster
	}
	if err := put(id); !errors.Is(err, asynq.ErrTaskIDConflict) {
		return err
	}
	return nil
}

// maxTaskTime keeps Asynq's own time-out out of the way: leases in the catalog decide.
const maxTaskTime = 7 * 24 * time.Hour

// depth is how many tasks wait in Redis. A queue that does not exist yet is empty.
func (q *queue) depth() (int, error) {
	names, err := q.inspector.Queues() // GetQueueInfo's error for a new queue is of an internal type
	if err != nil || !slices.Contains(names, queueName) {
		return 0, err
	}
	info, err := q.inspector.GetQueueInfo(queueName)
	if err != nil {
		return 0, err
	}
	return info.Pending + info.Scheduled + info.Retry, nil
}
