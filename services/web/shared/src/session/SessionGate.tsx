import { Center, Loader, Title, VisuallyHidden } from '@mantine/core';
import type { ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { Problem } from '../api/problem';
import { Failure } from '../feedback/Failure';
import { Mark } from '../shell/Mark';
import { NewPasswordForm } from './NewPasswordForm';
import { begin, SessionContext, useSessionQuery } from './session';
import { SignInDialog } from './SignInDialog';
import classes from './SignInPage.module.css';

/** Lets through who is signed in, and remembers where everybody else wanted to go. */
export function SessionGate({ product, children }: { product: string; children: ReactNode }) {
  const query = useSessionQuery();
  const location = useLocation();
  if (query.isPending)
    return (
      <Center h="100dvh">
        <Loader type="dots" aria-label="Loading" />
      </Center>
    );
  if (query.error && !query.data) {
    if (query.error instanceof Problem && query.error.status === 401) {
      const asked = location.pathname + location.search;
      return (
        <Navigate
          to={asked === '/' ? '/sign-in' : `/sign-in?return_to=${encodeURIComponent(asked)}`}
          replace
        />
      );
    }
    return (
      <Center h="100dvh" p="md">
        <main>
          <VisuallyHidden component="h1">{product}</VisuallyHidden>
          <Failure error={query.error} onRetry={() => void query.refetch()} />
        </main>
      </Center>
    );
  }
  if (query.data!.must_change_password)
    return (
      <main className={classes.page}>
        <div className={classes.card}>
          <Mark product={product} />
          <Title order={1} mt="xl" mb="lg">
            Choose a password
          </Title>
          <NewPasswordForm csrfToken={query.data!.csrf_token} onSession={begin} />
        </div>
      </main>
    );
  return (
    <SessionContext value={query.data!}>
      {children}
      <SignInDialog />
    </SessionContext>
  );
}
