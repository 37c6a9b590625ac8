import { Anchor, Skeleton, Stack } from '@mantine/core';
import { Failure, PageHeader } from '@llm-platform/shared';
import { ChevronLeft } from 'lucide-react';
import { Link } from 'react-router';
import classes from './PageState.module.css';

/** In place of a page about one thing while it is read, or when it cannot be. */
export function PageState({ title, error, onRetry }: { title: string; error: unknown; onRetry: () => void }) {
  return (
    <>
      <PageHeader title={title} />
      {error ? (
        <Failure error={error} onRetry={onRetry} />
      ) : (
        <Stack aria-busy="true">
          <Skeleton height={120} radius="lg" />
          <Skeleton height={240} radius="lg" />
        </Stack>
      )}
    </>
  );
}

/** Above the title of a page about one thing: back to all of its kind. */
export function BackTo({ to, children }: { to: string; children: string }) {
  return (
    <Anchor component={Link} to={to} className={classes.back!} size="sm">
      <ChevronLeft size={15} aria-hidden />
      {children}
    </Anchor>
  );
}
