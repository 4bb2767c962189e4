package worker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

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
	redis     redis.UniversalClient // of both
	client    *asynq.Client
	inspector *asynq.Inspector
}

func newQueue(opt asynq.RedisConnOpt) (*queue, error) {
	client, ok := calmly(opt).MakeRedisClient().(redis.UniversalClient)
	if !ok {
		return nil, fmt.Errorf("redis: connections of type %T are not known", opt)
	}
	return &queue{redis: client, client: asynq.NewClientFromRedisClient(client), inspector: asynq.NewInspectorFromRedisClient(client)}, nil
}

func (q *queue) Close() error { return q.redis.Close() }

// Dispatch puts a job into the queue. A task's id is its job and the attempt that
// will follow, so a job is in the queue once, and a finished, archived or
// lost task of an earlier attempt never stands in the way of the next.
func (q *queue) Dispatch(ctx context.Context, job catalog.Job) error {
	id := fmt.Sprintf("%s.%d", job.ID, job.Attempt+1)
	err := q.put(ctx, job.ID, id)
	if !errors.Is(err, asynq.ErrTaskIDConflict) {
		return err
	}
	// It is there; after a hiccup of the network it may be our own.
	info, err := q.inspector.GetTaskInfo(queueName, id)
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound):
		return nil // gone meanwhile: it was taken
	case err != nil:
		return err
	case info.State == asynq.TaskStateActive:
		// Its worker is about to own the job, or died before it did, or a failover lost half of the task. That must not
		// block the job: at worst two tasks ask for one lease, and one gets it.
		return q.again(ctx, job.ID)
	case info.State != asynq.TaskStateArchived:
		return nil
	}
	if err := q.inspector.DeleteTask(queueName, id); err != nil && !errors.Is(err, asynq.ErrTaskNotFound) {
		return err
	}
	if err := q.put(ctx, job.ID, id); !errors.Is(err, asynq.ErrTaskIDConflict) {
		return err
	}
	return nil // somebody else was faster
}

// again puts a job into the queue, whatever is there of it.
func (q *queue) again(ctx context.Context, jobID string) error {
	return q.put(ctx, jobID, jobID+"."+rand.Text())
}

func (q *queue) put(ctx context.Context, jobID, taskID string) error {
	payload, err := json.Marshal(taskPayload{jobID})
	if err != nil {
		return err
	}
	_, err = q.client.EnqueueContext(ctx, asynq.NewTask(taskDerive, payload),
		asynq.Queue(queueName), asynq.TaskID(taskID), asynq.MaxRetry(0), asynq.Timeout(maxTaskTime))
	return err
}

// maxTaskTime keeps Asynq's own time-out out of the way: leases in the catalog decide.
const maxTaskTime = 7 * 24 * time.Hour

// depth is how many tasks wait in Redis. Asynq's own count would be zero after a
// failover that lost its list of queues, which it writes once in the life of a client.
func (q *queue) depth(ctx context.Context) (int, error) {
	n, err := q.redis.LLen(ctx, queueKeys+"pending").Result()
	return int(n), err
}

// filledKey is beside the keys of Asynq, whose pattern (asynq:*) a user of Redis may need. It is there once the queue was filled from the catalog. When it is gone, Redis has lost what it had.
const filledKey = queueKeys + "radtier-filled"

// state is depth, and whether Redis remembers that it was filled.
func (q *queue) state(ctx context.Context) (depth int, filled bool, err error) {
	p := q.redis.Pipeline()
	waiting, mark := p.LLen(ctx, queueKeys+"pending"), p.Exists(ctx, filledKey)
	_, err = p.Exec(ctx)
	return int(waiting.Val()), mark.Val() > 0, err
}

// markFilled makes Redis remember that it was filled, and which queues there are: a client of Asynq says that once in its life.
func (q *queue) markFilled(ctx context.Context) error {
	if err := q.redis.SAdd(ctx, "asynq:queues", queueName).Err(); err != nil {
		return err
	}
	return q.redis.Set(ctx, filledKey, 1, 0).Err()
}

// fillingKey is in Redis while a pool fills the queue, for fillingTime at most: a pool that dies meanwhile holds the others up for no longer.
const (
	fillingKey  = queueKeys + "radtier-filling"
	fillingTime = 2 * time.Second
)

// filling keeps other pools from filling the queue until end is called, or
// reports that one of them does. Otherwise all that see it half empty would fill it, and it is as long as they are many.
func (q *queue) filling(ctx context.Context) (end func(), ok bool, err error) {
	mine := rand.Text()
	if ok, err = q.redis.SetNX(ctx, fillingKey, mine, fillingTime).Result(); err != nil || !ok {
		return nil, false, err
	}
	return func() { _ = dropMine.Run(ctx, q.redis, []string{fillingKey}, mine).Err() }, true, nil
}

// dropMine removes a key that still has the value that it was given.
var dropMine = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

// tidy removes what Asynq keeps of tasks that are over, or that it would keep for ever: their
// outcome is in the catalog. A task whose worker died is active with a lease that ended; after a
// failover it may be active without one. Leases there have nothing to do with those of jobs in the catalog.
func (q *queue) tidy(ctx context.Context) error {
	if err := q.redis.SAdd(ctx, "asynq:queues", queueName).Err(); err != nil {
		return err
	}
	over := time.Now().Add(-leaseSkew).Unix()
	if err := dropOver.Run(ctx, q.redis, []string{queueKeys + "active", queueKeys + "lease"}, over, queueKeys+"t:").Err(); err != nil {
		return err
	}
	_, err := q.inspector.DeleteAllArchivedTasks(queueName)
	return err
}

// queueKeys begins the keys of the queue: they are part of Asynq's format.
const queueKeys = "asynq:{" + queueName + "}:"

// leaseSkew is how far the clocks of workers may differ before a task that is being worked on is taken for one that is over.
const leaseSkew = 30 * time.Second

// dropOver removes active tasks without a lease that is alive, and leases that ended.
var dropOver = redis.NewScript(`
local gone = 0
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
	local lease = redis.call("ZSCORE", KEYS[2], id)
	if not lease or tonumber(lease) < tonumber(ARGV[1]) then
		redis.call("LREM", KEYS[1], 0, id)
		redis.call("DEL", ARGV[2] .. id)
		gone = gone + 1
	end
end
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", "(" .. ARGV[1])
return gone`)
