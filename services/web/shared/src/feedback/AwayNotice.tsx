import { useSyncExternalStore } from 'react';
import { Problem } from '../api/problem';
import { queryClient } from '../query/client';
import { Notice } from './Notice';

const SEPARATOR = '\n';
const cache = queryClient.getQueryCache();

/** What those queries of the page say that found something away. */
function reasons(): string {
  const errors = cache.findAll({ type: 'active' }).map(query => query.state.error as unknown);
  const away = errors.filter(error => error instanceof Problem && error.away) as Problem[];
  return [...new Set(away.map(error => error.message))].sort().join(SEPARATOR);
}

/** At the head of a page that lacks something: what, so that nobody takes an old or empty page for the truth. */
export function AwayNotice() {
  const found = useSyncExternalStore(listener => cache.subscribe(listener), reasons);
  if (!found) return null;
  return (
    <div style={{ marginBottom: 'var(--mantine-spacing-lg)' }}>
      <Notice kind="warning" title="Some of this page is missing, or as it was a while ago">
        {found.split(SEPARATOR).map(reason => (
          <div key={reason}>{reason}</div>
        ))}
        It is asked for again every few seconds.
      </Notice>
    </div>
  );
}
