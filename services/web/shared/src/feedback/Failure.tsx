import { Button, CopyButton, Text, UnstyledButton } from '@mantine/core';
import { CloudOff, Lock, RotateCw, SearchX, TriangleAlert } from 'lucide-react';
import { describe, Problem } from '../api/problem';
import classes from './Placeholder.module.css';

interface FailureProps {
  error: unknown;
  onRetry?: () => void;
}

function look(error: unknown) {
  if (error instanceof Problem) {
    if (error.status === 0) return { Icon: CloudOff, title: 'No connection' };
    if (error.away) return { Icon: CloudOff, title: 'This part is not available right now' };
    if (error.status === 403) return { Icon: Lock, title: 'You may not see this' };
    if (error.status === 404) return { Icon: SearchX, title: 'There is nothing here' };
  }
  return { Icon: TriangleAlert, title: 'This could not be loaded' };
}

/** In place of what is missing: which service is away, or why else. The rest of the page works on. */
export function Failure({ error, onRetry }: FailureProps) {
  const { Icon, title } = look(error);
  const requestId = error instanceof Problem ? error.requestId : '';
  return (
    <div className={classes.placeholder} role="alert">
      <span className={classes.icon} data-tone="failure">
        <Icon size={20} aria-hidden />
      </span>
      <Text fw={600}>{title}</Text>
      <Text c="dimmed" maw={440}>
        {describe(error)}
      </Text>
      {onRetry && (
        <Button variant="default" mt="xs" leftSection={<RotateCw size={15} />} onClick={onRetry}>
          Try again
        </Button>
      )}
      {requestId && (
        <CopyButton value={requestId}>
          {({ copied, copy }) => (
            <UnstyledButton className={classes.request} onClick={copy} title="Copy the request id">
              {copied ? 'Copied' : `Request ${requestId}`}
            </UnstyledButton>
          )}
        </CopyButton>
      )}
    </div>
  );
}
