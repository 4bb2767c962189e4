package catalog

import "context"

// Hooks is called between every two steps of the protocol. An error stops
// the work there and then, as a crash would: tests use it. Nil in production.
type Hooks func(ctx context.Context, step string) error

// Step calls the hook, if there is one.
func (h Hooks) Step(ctx context.Context, name string) error {
	if h == nil {
		return nil
	}
	return h(ctx, name)
}

// Steps of Commit, in their order. Callers have steps of their own before these.
const (
	StepHealed      = "commit-healed"       // the bucket was listed, catalog and bucket agree
	StepChanged     = "commit-changed"      // the next manifest is made, nothing is written
	StepManifestPut = "commit-manifest-put" // (c) is done
	StepInDecide    = "commit-in-decide"    // (d): every row is written, the transaction is not committed
	StepDecideReply = "commit-decide-reply" // (d): it is committed and an error here is the reply lost on its way: Commit reads the head again
	StepDecided     = "commit-decided"      // (d) is done
	StepOKPut       = "commit-ok-put"       // the .ok is in the bucket, the catalog does not know
	StepPublished   = "commit-published"    // (e) is done
)
