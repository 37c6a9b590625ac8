import { Text } from '@mantine/core';
import { useEffect } from 'react';
import { Link } from 'react-router';
import { tellSignedIn } from './oidc';

/** In the window of a provider: tells the page that waits, and closes. */
export function SignedInPage() {
  useEffect(() => {
    tellSignedIn();
    window.close();
  }, []);
  return (
    <Text component="main" p="xl" ta="center">
      You are signed in. You can close this window, or <Link to="/">go on here</Link>.
    </Text>
  );
}
