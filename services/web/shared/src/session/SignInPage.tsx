import { Text, Title } from '@mantine/core';
import { useSearchParams } from 'react-router';
import { Notice } from '../feedback/Notice';
import { Mark } from '../shell/Mark';
import { oidcUrl } from './oidc';
import { localPath } from './local-path';
import { useInfo } from './session';
import { SignInSteps } from './SignInSteps';
import classes from './SignInPage.module.css';

/** What the way over a provider came back with. */
const FAILURES: Record<string, string> = {
  unauthenticated:
    'The identity provider did not let you in, or the sign-in took too long. Please try again.',
  permission_denied: 'You are known, but have no access to this platform. Ask an administrator for it.',
  rate_limited: 'There were too many attempts. Please try again in a few minutes.',
  unavailable: 'The identity provider cannot be reached right now. Please try again in a moment.',
};

export function SignInPage({ product }: { product: string }) {
  const [query] = useSearchParams();
  const info = useInfo();
  const returnTo = localPath(query.get('return_to'));
  const failure = query.get('error');
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Mark product={product} />
        <Title order={1} mt="xl" mb={4}>
          Sign in
        </Title>
        <Text c="dimmed" mb="lg">
          {returnTo === '/' ? 'Welcome back.' : 'You will come back to the page you asked for.'}
        </Text>
        {failure && (
          <div className={classes.failure}>
            <Notice kind="error">{FAILURES[failure] ?? 'Signing in did not work. Please try again.'}</Notice>
          </div>
        )}
        <SignInSteps
          onOidc={() => window.location.assign(oidcUrl(returnTo))}
          onSession={() => window.location.assign(returnTo)}
        />
      </div>
      <Text c="dimmed" size="xs" mt="lg">
        {info.data ? `${info.data.environment} · ${info.data.version}` : '\u00a0'}
      </Text>
    </main>
  );
}
