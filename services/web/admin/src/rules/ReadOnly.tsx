import { Notice, useCan } from '@llm-platform/shared';
import classes from './Rules.module.css';

/** For those who may look only. */
export function ReadOnly() {
  const can = useCan();
  if (can('PUT /api/routing')) return null;
  return (
    <div className={classes.notice}>
      <Notice kind="info" title="You may look, not change">
        Owners and administrators of the platform change providers and routing.
      </Notice>
    </div>
  );
}
