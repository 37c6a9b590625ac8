import { Button, Center } from '@mantine/core';
import { RefreshCw, SearchX } from 'lucide-react';
import { Link, useRouteError } from 'react-router';
import { PageHeader } from '../shell/PageHeader';
import { Empty } from './Empty';
import { Failure } from './Failure';

const CHUNK_GONE = /dynamically imported module|module script failed|Unable to preload/i;

/** When a page fails to draw, or its code is gone because a newer release is running. */
export function RouteFailure() {
  const error = useRouteError();
  const reload = () => window.location.reload();
  if (error instanceof Error && CHUNK_GONE.test(error.message))
    return (
      <Center mih="60dvh">
        <Empty
          icon={RefreshCw}
          title="There is a newer version"
          action={<Button onClick={reload}>Reload</Button>}
        >
          This page has been updated since you opened it.
        </Empty>
      </Center>
    );
  return (
    <Center mih="60dvh">
      <Failure error={error} onRetry={reload} />
    </Center>
  );
}

export function NotFound() {
  return (
    <>
      <PageHeader title="There is no such page" />
      <Empty
        icon={SearchX}
        title="The address may be old, or mistyped"
        action={
          <Button component={Link} to="/" variant="default">
            Go to the overview
          </Button>
        }
      />
    </>
  );
}
